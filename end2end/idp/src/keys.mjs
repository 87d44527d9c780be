// Owns the signing keys of one realm, the set that it publishes, and tokens that no honest provider signs.
// Must not know any endpoint.

import { createHmac, randomUUID } from 'node:crypto';

import { jose } from './packages.mjs';

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

async function make(alg = 'RS256') {
  const { privateKey, publicKey } = await jose.generateKeyPair(alg, { extractable: true });
  const kid = randomUUID().slice(0, 8);
  const facts = { kid, alg, use: 'sig' };
  return {
    kid,
    alg,
    privateKey,
    private: { ...(await jose.exportJWK(privateKey)), ...facts },
    public: { ...(await jose.exportJWK(publicKey)), ...facts },
    pem: await jose.exportSPKI(publicKey),
  };
}

// Generating RSA keys takes a tenth of a second each; every realm may start with the same pair.
const first = make();
const stranger = make();

export class Keys {
  static async create(alg) {
    const keys = new Keys();
    keys.current = alg && alg !== 'RS256' ? await make(alg) : await first;
    keys.original = keys.current;
    keys.published = [keys.current];
    return keys;
  }

  // The old key is gone at once unless it is kept: a client that trusts its copy of the set notices.
  async rotate(keep = false) {
    this.current = await make(this.current.alg);
    this.published = keep ? [...this.published, this.current] : [this.current];
  }

  set() {
    return { keys: this.published.map((key) => key.public) };
  }

  // How: honest, stranger (right kid, another key), unknown-kid, no-kid, none, hs256-public, hs256-secret, cut.
  async sign(claims, how, { typ = 'JWT', secret = '' } = {}) {
    const { current } = this;
    const by = (key, header) =>
      new jose.SignJWT(claims).setProtectedHeader({ typ, ...header }).sign(key.privateKey);
    const hmac = (key) => {
      const text = `${encode({ alg: 'HS256', typ, kid: current.kid })}.${encode(claims)}`;
      return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
    };
    switch (how ?? 'honest') {
      case 'honest': return by(current, { alg: current.alg, kid: current.kid });
      case 'stranger': return by(await stranger, { alg: 'RS256', kid: current.kid });
      case 'unknown-kid': return by(await stranger, { alg: 'RS256', kid: 'nobody-knows-me' });
      case 'no-kid': return by(current, { alg: current.alg });
      case 'none': return `${encode({ alg: 'none', typ })}.${encode(claims)}.`;
      case 'hs256-public': return hmac(current.pem);
      case 'hs256-secret': return hmac(secret);
      case 'cut': return (await by(current, { alg: current.alg, kid: current.kid })).slice(0, -20);
      default: throw new Error(`no way of signing: ${how}`);
    }
  }
}
