// The real socket.io server: acknowledges messages, keeps them, sends what the test says a customer wrote.
'use strict';

const {tell, listen, load} = require('./lines');
const {Server} = load('socket.io');

const io = new Server(0, {host: '127.0.0.1'});
const sockets = new Map();

const serve = (socket) => {
  socket.on('message', (message, ack) => {
    tell({event: 'message', message});
    if (ack) ack({ok: true, id: message.id});
  });
  socket.on('binary', (data) => tell({event: 'binary', size: data.length}));
  sockets.set(socket.nsp.name, socket);
  socket.emit('ready', {agent: {id: 'agent-1', name: 'An'}});
};
io.on('connection', serve);
io.of('/desk').on('connection', serve);
io.httpServer.on('listening', () => tell({event: 'listening', port: io.httpServer.address().port}));

listen({
  say: (c) => sockets.get(c.ns).emit('message', {id: c.id, from: 'customer', conversationId: c.conv, text: c.text}),
});
