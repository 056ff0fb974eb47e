// Rocket.Chat's own DDP client.
'use strict';

const {tell, listen, load} = require('./lines');
globalThis.WebSocket = load('ws').WebSocket;
const {DDPSDK} = load('@rocket.chat/ddp-client');

let sdk;

listen({
  connect: async (c) => {
    sdk = await DDPSDK.createAndConnect(c.url);
    const login = await sdk.call('login', {resume: 'token-1'});
    await sdk.stream('notify-user', 'u1/message', (data) => tell({event: 'notice', data})).ready();
    await sdk.stream('room-messages', 'r1', (data) => tell({event: 'message', data})).ready();
    tell({event: 'ready', uid: login.id});
  },
  send: (c) =>
    sdk.call('sendMessage', {_id: c.id, rid: c.conv, msg: c.text}).then(
      (result) => tell({event: 'sent', id: c.id, text: result.msg}),
      (error) => tell({event: 'rejected', id: c.id, error})),
});
