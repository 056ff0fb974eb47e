// Talking with the test: one JSON object per line, commands in, events out.
'use strict';

const {createInterface} = require('readline');

exports.tell = (event) => process.stdout.write(JSON.stringify(event) + '\n');

// handlers: name of a command -> function(command)
exports.listen = (handlers) => {
  createInterface({input: process.stdin})
    .on('line', (line) => {
      const command = JSON.parse(line);
      Promise.resolve(handlers[command.do](command)).catch((e) => exports.tell({event: 'failed', error: String(e)}));
    })
    .on('close', () => process.exit(0));
};

exports.load = (name) => require(require.resolve(name, {paths: [process.env.CHATGATE_NPM_DIR]}));
