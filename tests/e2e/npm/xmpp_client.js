// xmpp.js, over TCP or WebSocket, with its own stream management.
'use strict';

const {pathToFileURL} = require('url');
const {tell, listen, load: loadOld} = require('./lines');

globalThis.WebSocket ??= loadOld('ws').WebSocket;
globalThis.crypto ??= require('crypto').webcrypto; // Debian 12's Node.js is 18

let xmpp;
let ltx;

// ES modules: found by their folder, since import() knows no search path.
const load = (name) => import(pathToFileURL(`${process.env.CHATGATE_NPM_DIR}/node_modules/${name}/index.js`).href);

listen({
  connect: async (c) => {
    const {client, xml} = await load('@xmpp/client');
    ltx = xml;
    xmpp = client({service: c.service, domain: 'localhost', resource: 'js', username: c.user, password: c.password});
    xmpp.on('error', (e) => tell({event: 'trouble', error: String(e)}));
    xmpp.on('stanza', (s) => {
      if (s.is('message')) {
        tell({event: s.attrs.type === 'error' ? 'rejected' : 'message', id: s.attrs.id, body: s.getChildText('body'),
          reason: s.getChild('error')?.getChildText('text')});
      }
    });
    xmpp.streamManagement.on('ack', (s) => tell({event: 'ack', id: s.attrs.id}));
    xmpp.streamManagement.on('fail', (s) => tell({event: 'fail', id: s.attrs.id}));
    xmpp.streamManagement.on('resumed', () => tell({event: 'resumed'}));
    const jid = await xmpp.start();
    await xmpp.send(ltx('presence'));
    const look = () => (xmpp.streamManagement.enabled ? tell({event: 'ready', jid: jid.toString()}) : setTimeout(look, 20));
    look();
  },
  send: (c) => xmpp.send(ltx('message', {to: c.to, type: 'chat', id: c.id}, ltx('body', {}, c.body))),
  cut: () => {
    const socket = xmpp.socket.socket ?? xmpp.socket;
    (socket.terminate ?? socket.destroy ?? socket.close).call(socket);
  },
  stop: async () => {
    await xmpp.stop();
    tell({event: 'stopped'});
  },
});
