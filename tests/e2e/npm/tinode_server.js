// A stub with the frames of Tinode.
'use strict';

const http = require('http');
const {tell, listen, load} = require('./lines');
const {WebSocketServer} = load('ws');

const server = http.createServer((request, response) => response.end('page'));
const wss = new WebSocketServer({server, perMessageDeflate: true});
const clients = new Set();
let seq = 0;

const answer = (send, m) => {
  const ctrl = (id, code, text, more) => send({ctrl: {id, code, text, ts: new Date().toISOString(), ...more}});
  if (m.hi) ctrl(m.hi.id, 201, 'created', {params: {ver: '0.25', build: 'stub', maxMessageSize: 262144}});
  if (m.login) ctrl(m.login.id, 200, 'ok', {params: {user: 'usrA', token: 't', expires: new Date(Date.now() + 1e7).toISOString(), authlvl: 'auth'}});
  if (m.sub) ctrl(m.sub.id, 200, 'ok', {topic: m.sub.topic, params: {}});
  if (m.leave) ctrl(m.leave.id, 200, 'ok', {topic: m.leave.topic});
  if (!m.pub) return;
  tell({event: 'message', pub: m.pub});
  if (m.pub.topic === 'usrClosed') ctrl(m.pub.id, 403, 'permission denied', {topic: m.pub.topic});
  else ctrl(m.pub.id, 202, 'accepted', {topic: m.pub.topic, params: {seq: ++seq}});
};

wss.on('connection', (ws) => {
  const send = (m) => ws.send(JSON.stringify(m));
  clients.add(send);
  ws.on('close', () => clients.delete(send));
  ws.on('message', (data) => {
    const text = data.toString();
    if (text === '1') ws.send('0');
    else answer(send, JSON.parse(text));
  });
});
server.listen(0, '127.0.0.1', () => tell({event: 'listening', port: server.address().port}));

listen({
  say: (c) => {
    for (const send of clients) send({data: {topic: c.conv, from: c.conv, ts: new Date().toISOString(), seq: ++seq, content: c.text}});
  },
});
