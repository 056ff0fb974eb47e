// A stub with the DDP shapes of Rocket.Chat: plain frames on /websocket, the real SockJS server on /sockjs.
'use strict';

const http = require('http');
const {tell, listen, load} = require('./lines');
const {WebSocketServer} = load('ws');
const sockjs = load('sockjs');

const server = http.createServer((request, response) => {
  tell({event: 'request', method: request.method, url: request.url});
  response.end('{"success":true}');
});
const wss = new WebSocketServer({noServer: true, perMessageDeflate: false});
const clients = new Set();

const methods = {
  login: () => ({id: 'u1', token: 'token-1', tokenExpires: {$date: Date.now() + 1e6}, type: 'resume'}),
  sendMessage: ([m]) => {
    tell({event: 'message', message: m});
    if (m.rid === 'closed') throw {isClientSafe: true, error: 'error-not-allowed', reason: 'closed', message: 'closed', errorType: 'Meteor.Error'};
    return {...m, ts: {$date: Date.now()}, u: {_id: 'u1'}};
  },
};

const answer = (send, m) => {
  if (m.msg === 'connect') send({msg: 'connected', session: 's1'});
  if (m.msg === 'ping') send({msg: 'pong'});
  if (m.msg === 'sub') send({msg: 'ready', subs: [m.id]});
  if (m.msg !== 'method') return;
  try {
    send({msg: 'result', id: m.id, result: methods[m.method](m.params)});
  } catch (error) {
    send({msg: 'result', id: m.id, error});
  }
  send({msg: 'updated', methods: [m.id]});
};

const serve = (send, onMessage, onClose) => {
  const sendJson = (m) => send(JSON.stringify(m));
  clients.add(sendJson);
  onClose(() => clients.delete(sendJson));
  onMessage((text) => answer(sendJson, JSON.parse(text)));
};

server.on('upgrade', (request, socket, head) => {
  if (request.url !== '/websocket') return;
  wss.handleUpgrade(request, socket, head, (ws) =>
    serve((text) => ws.send(text), (f) => ws.on('message', (data) => f(data.toString())), (f) => ws.on('close', f)));
});
const framed = sockjs.createServer({prefix: '/sockjs', log: () => {}});
framed.on('connection', (c) => {
  if (c) serve((text) => c.write(text), (f) => c.on('data', f), (f) => c.on('close', f));
});
framed.installHandlers(server);
server.listen(0, '127.0.0.1', () => tell({event: 'listening', port: server.address().port}));

listen({
  say: (c) => {
    const m = {_id: c.id, rid: c.conv, msg: c.text, token: 'visitor-token', u: {_id: c.sender, username: 'guest-1'}, ts: {$date: Date.now()}};
    for (const send of clients) send({msg: 'changed', collection: 'stream-room-messages', id: 'id', fields: {eventName: c.conv, args: [m]}});
  },
});
