// A client of the plain JSON socket.
'use strict';

const {tell, listen, load} = require('./lines');
const {WebSocket} = load('ws');

let ws;
const send = (m) => ws.send(JSON.stringify(m));

const on = {
  auth_ok: (m) => tell({event: 'ready', uid: m.agentId}),
  ack: (m) => tell({event: 'sent', id: m.ref}),
  error: (m) => tell({event: 'rejected', id: m.ref, error: m.message}),
  message: (m) => tell({event: 'message', data: m}),
  notice: (m) => tell({event: 'notice', data: m}),
};

listen({
  connect: (c) => {
    ws = new WebSocket(c.url.replace(/^http/, 'ws') + '/ws');
    ws.on('open', () => send({type: 'auth', token: 't'}));
    ws.on('message', (data) => {
      const m = JSON.parse(data.toString());
      on[m.type](m);
    });
  },
  send: (c) => send({type: 'message', id: c.id, conversationId: c.conv, text: c.text}),
});
