// Tinode's own client library.
'use strict';

const {tell, listen, load} = require('./lines');
const {Tinode} = load('tinode-sdk');
Tinode.setNetworkProviders(load('ws').WebSocket, class {});
// The library clears its browser database even when told to keep nothing.
Tinode.setDatabaseProvider({
  deleteDatabase: () => {
    const request = {};
    setImmediate(() => request.onsuccess({}));
    return request;
  },
});

let tinode;

listen({
  connect: async (c) => {
    tinode = new Tinode({appName: 'e2e', host: c.host, apiKey: 'key', transport: 'ws', secure: Boolean(c.secure), persist: false});
    tinode.onDataMessage = (data) => tell({event: 'message', data});
    await tinode.connect();
    const ctrl = await tinode.loginBasic('an', 'secret');
    tell({event: 'ready', uid: ctrl.params.user});
  },
  send: (c) => {
    const pub = tinode.createMessage(c.conv, c.content, false);
    return tinode.publishMessage(pub).then(
      (ctrl) => tell({event: 'sent', code: ctrl.code}),
      (error) => tell({event: 'rejected', error: error.message, code: error.code}));
  },
});
