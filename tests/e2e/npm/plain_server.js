// A plain JSON socket, as the profile plain-ws-json describes it.
'use strict';

const http = require('http');
const {tell, listen, load} = require('./lines');
const {WebSocketServer} = load('ws');

const server = http.createServer((request, response) => response.end('page'));
const wss = new WebSocketServer({server, path: '/ws', perMessageDeflate: false});
const clients = new Set();

wss.on('connection', (ws) => {
  const send = (m) => ws.send(JSON.stringify(m));
  clients.add(send);
  ws.on('close', () => clients.delete(send));
  ws.on('message', (data) => {
    const m = JSON.parse(data.toString());
    if (m.type === 'auth') send({type: 'auth_ok', agentId: 'a1', name: 'An'});
    if (m.type !== 'message') return;
    tell({event: 'message', message: m});
    send({type: 'ack', ref: m.id});
  });
});
server.listen(0, '127.0.0.1', () => tell({event: 'listening', port: server.address().port}));

listen({
  say: (c) => {
    const m = {type: 'message', id: c.id, conversationId: c.conv, sender: {id: c.sender, role: 'customer'}, text: c.text};
    for (const send of clients) send(m);
  },
});
