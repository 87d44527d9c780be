// A real OpenID provider on loopback (npm oidc-provider), with faults, for the tests of sign-in.
//
//   node end2end/idp/idp.mjs [--port N] [--tls-cert FILE --tls-key FILE] [--realm NAME --redirect-uri URL]
//
// Prints one line of JSON when it listens: {"http": "http://127.0.0.1:N", "https": …}. Ends when its standard
// input does, so that it never outlives who started it. Each realm is a provider of its own at /r/NAME:
//
//   POST /control/realms/NAME           makes it: { client, people, faults, ttl, refresh, tls, alg } → { issuer }
//   PATCH /control/realms/NAME          changes people (merged), faults (replaced), ttl, refresh
//   GET /control/realms/NAME            calls per leg, every token it gave (for leak searches), what clients asked for
//   POST /control/realms/NAME/rotate    a new signing key; { keep: true } publishes the old one too
//   POST /control/realms/NAME/logout-token   a signed logout token for the back channel
//   POST /control/realms/NAME/refresh-token  a refresh token of { person }, as if that one had signed in
//
// The faults are told in src/realm.mjs, the ways of signing in src/keys.mjs.

import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { parseArgs } from 'node:util';

import { Realm } from './src/realm.mjs';
import { answer, read } from './src/wire.mjs';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    'tls-cert': { type: 'string' },
    'tls-key': { type: 'string' },
    realm: { type: 'string' },
    'redirect-uri': { type: 'string', multiple: true },
  },
});

const realms = new Map();
const bases = {};

async function make(name, wishes) {
  const realm = await Realm.create(wishes.tls ? bases.https : bases.http, name, wishes);
  realms.set(name, realm);
  return { issuer: realm.issuer, ...realm.client };
}

async function control(request, response, [name, verb]) {
  const wishes = request.method === 'GET' ? {} : JSON.parse((await read(request)) || '{}');
  const realm = realms.get(name);
  if (request.method === 'POST' && !verb) return answer(response, 201, await make(name, wishes));
  if (!realm) return answer(response, 404, { error: `no realm ${name}` });
  if (request.method === 'GET') return answer(response, 200, { calls: realm.calls, tokens: realm.tokens, asked: realm.asked });
  if (request.method === 'PATCH') realm.change(wishes);
  else if (verb === 'rotate') await realm.keys.rotate(wishes.keep);
  else if (verb === 'logout-token') return answer(response, 200, { token: await realm.logoutToken(wishes) });
  else if (verb === 'refresh-token') return answer(response, 200, { token: await realm.refreshToken(wishes) });
  else return answer(response, 404, { error: `nothing to do: ${verb}` });
  return answer(response, 200, {});
}

async function handle(request, response) {
  const { pathname } = new URL(request.url, 'http://rig');
  const [first, second, ...rest] = pathname.split('/').filter(Boolean);
  if (first === 'control' && second === 'realms') return control(request, response, rest);
  const realm = first === 'r' && realms.get(second);
  if (!realm) return answer(response, 404, { error: 'no such realm' });
  return realm.handle(request, response, `/${rest.join('/')}`);
}

function listen(server, scheme, port) {
  server.on('request', (request, response) => {
    handle(request, response).catch((error) => {
      process.stderr.write(`${request.method} ${request.url}: ${error.stack}\n`);
      if (!response.headersSent) answer(response, 500, { error: 'rig' });
    });
  });
  return new Promise((done) => {
    server.listen(port, '127.0.0.1', () => {
      bases[scheme] = `${scheme}://127.0.0.1:${server.address().port}`;
      done();
    });
  });
}

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
process.stdin.on('error', () => process.exit(0));

await listen(http.createServer(), 'http', Number(options.port));
if (options['tls-cert']) {
  const pair = { cert: fs.readFileSync(options['tls-cert']), key: fs.readFileSync(options['tls-key']) };
  await listen(https.createServer(pair), 'https', 0);
}
if (options.realm) {
  await make(options.realm, { client: { redirect_uris: options['redirect-uri'] ?? [] } });
}
process.stdout.write(`${JSON.stringify(bases)}\n`);
