// The real SockJS client with plain DDP on top, as older web clients of Rocket.Chat work.
'use strict';

const {tell, listen, load} = require('./lines');
const SockJS = load('sockjs-client');

let sock;
const send = (m) => sock.send(JSON.stringify(m));

const on = {
  connected: () => send({msg: 'method', method: 'login', id: 'login', params: [{resume: 'token-1'}]}),
  ready: (m) => tell({event: 'ready', subs: m.subs}),
  changed: (m) => tell({event: m.collection === 'stream-notify-user' ? 'notice' : 'message', data: m.fields.args[0]}),
  updated: (m) => tell({event: 'updated', id: m.methods[0]}),
  result: (m) => {
    if (m.id === 'login') send({msg: 'sub', id: 's1', name: 'stream-notify-user', params: [m.result.id + '/message', false]});
    else tell({event: 'result', id: m.id, error: m.error, text: m.result && m.result.msg});
  },
};

listen({
  connect: (c) => {
    sock = new SockJS(c.url + '/sockjs', null, {transports: c.transports || ['websocket']});
    sock.onopen = () => send({msg: 'connect', version: '1', support: ['1']});
    sock.onmessage = (e) => {
      const m = JSON.parse(e.data);
      if (on[m.msg]) on[m.msg](m);
    };
    sock.onclose = (e) => tell({event: 'closed', code: e.code});
  },
  send: (c) => send({msg: 'method', method: 'sendMessage', id: c.id, params: [{_id: 'm' + c.id, rid: c.conv, msg: c.text}]}),
});
