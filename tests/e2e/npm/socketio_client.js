// The real socket.io client.
'use strict';

const {tell, listen, load} = require('./lines');
const {io} = load('socket.io-client');

let socket;
const message = (c) => ({id: c.id, conversationId: c.conv, text: c.text});

listen({
  connect: (c) => {
    socket = io(c.url, {transports: c.transports || ['websocket'], reconnection: false});
    socket.on('ready', (agent) => tell({event: 'ready', agent}));
    socket.on('connect_error', (e) => tell({event: 'connect_error', error: e.message}));
    socket.on('disconnect', (why) => tell({event: 'disconnect', why}));
    for (const name of ['message', 'message_error', 'notice']) socket.on(name, (data) => tell({event: name, data}));
  },
  send: async (c) => tell({event: 'ack', id: c.id, answer: await socket.timeout(10000).emitWithAck('message', message(c))}),
  send_without_ack: (c) => socket.emit('message', message(c)),
  send_binary: () => socket.emit('binary', Buffer.from([1, 2, 3])),
});
