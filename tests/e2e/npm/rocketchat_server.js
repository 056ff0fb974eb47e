// A stub with the DDP shapes of Rocket.Chat, plain and in SockJS frames.
'use strict';

const http = require('http');
const {tell, listen, load} = require('./lines');
const {WebSocketServer} = load('ws');

const server = http.createServer((request, response) => {
  tell({event: 'request', method: request.method, url: request.url});
  response.end('{"success":true}');
});
const wss = new WebSocketServer({server, perMessageDeflate: false});
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

wss.on('connection', (ws, request) => {
  const isSockjs = /^\/sockjs\/[^/]+\/[^/]+\/websocket$/.test(request.url);
  const send = (m) => ws.send(isSockjs ? 'a' + JSON.stringify([JSON.stringify(m)]) : JSON.stringify(m));
  if (isSockjs) ws.send('o');
  clients.add(send);
  ws.on('close', () => clients.delete(send));
  ws.on('message', (data) => {
    const text = data.toString();
    for (const one of isSockjs ? JSON.parse(text) : [text]) answer(send, JSON.parse(one));
  });
});
server.listen(0, '127.0.0.1', () => tell({event: 'listening', port: server.address().port}));

listen({
  say: (c) => {
    const m = {_id: c.id, rid: c.conv, msg: c.text, token: 'visitor-token', u: {_id: c.sender, username: 'guest-1'}, ts: {$date: Date.now()}};
    for (const send of clients) send({msg: 'changed', collection: 'stream-room-messages', id: 'id', fields: {eventName: c.conv, args: [m]}});
  },
});
