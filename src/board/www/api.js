// The JSON API. A failed call throws an Error whose `word` names the cause.
export const session = { data: null, onEnd: () => {} };

export async function call(method, path, body) {
  const options = { method, headers: {}, credentials: "same-origin" };
  if (method !== "GET") {
    options.headers["Content-Type"] = "application/json";
    if (session.data) options.headers["X-CSRF-Token"] = session.data.csrf;
    options.body = JSON.stringify(body ?? {});
  }
  let answer, data;
  try {
    answer = await fetch(path, options);
    data = await answer.json();
  } catch {
    throw Object.assign(new Error("network"), { word: "network", status: 0 });
  }
  if (answer.ok) return data;
  const e = Object.assign(new Error(data.message), { word: data.error, status: answer.status, data });
  if (e.word === "login" && session.data) session.onEnd();
  throw e;
}
