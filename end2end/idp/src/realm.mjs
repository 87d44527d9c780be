// Owns one realm: an oidc-provider under a path of its own, its people, and its faults.
//
//   request ─► fault of this leg? (down, slow, status) ─► Graph, keys, login form, or oidc-provider
//                                                          token answers pass `rewrite`, which signs anew
//
// oidc-provider signs no wrong token, so what a fault wants changed is changed in its answer. Everything that no
// fault names is the provider's own word. Must not know the console.

import { Provider, jose } from './packages.mjs';
import { Keys } from './keys.mjs';
import { answer, page, readForm } from './wire.mjs';

const PEOPLE = {
  alice: { name: 'Alice Example', email: 'alice@example.org', email_verified: true, groups: ['ops-admins', 'everyone'] },
  oscar: { name: 'Oscar Example', email: 'oscar@example.org', email_verified: true, groups: ['ops-operators', 'everyone'] },
  audrey: { name: 'Audrey Example', email: 'audrey@example.org', email_verified: true, groups: ['ops-auditors'] },
  nobody: { name: 'Nora Nobody', email: 'nora@example.org', email_verified: true, groups: ['everyone'] },
};

// Claims that providers give without a scope of their own.
const UNASKED = ['groups', 'roles', 'realm_access', 'oid', 'tid', 'upn', 'hasgroups', 'team'];

const LEGS = {
  '/.well-known/openid-configuration': 'discovery',
  '/jwks': 'jwks',
  '/auth': 'authorize',
  '/token': 'token',
  '/me': 'userinfo',
  '/session/end': 'end_session',
};

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

export class Realm {
  static async create(base, name, wishes = {}) {
    const realm = new Realm();
    realm.name = name;
    realm.path = `/r/${name}`;
    realm.issuer = base + realm.path;
    realm.people = structuredClone(PEOPLE);
    realm.faults = {};
    realm.ttl = { id: 3600, access: 3600, refresh: 86400, code: 60 };
    realm.refresh = 'always';
    realm.calls = {};
    realm.tokens = [];
    realm.asked = [];
    realm.keys = await Keys.create(wishes.alg);
    realm.client = wishes.client ?? {};
    realm.change(wishes);
    realm.provider = new Provider(realm.issuer, realm.#configuration());
    realm.provider.proxy = false;
    realm.callback = realm.provider.callback();
    return realm;
  }

  // What the control endpoint may set; people are merged, faults replaced.
  change(wishes) {
    for (const [id, person] of Object.entries(wishes.people ?? {})) {
      this.people[id] = { ...this.people[id], ...person };
    }
    if (wishes.faults) this.faults = wishes.faults;
    if (wishes.ttl) this.ttl = { ...this.ttl, ...wishes.ttl };
    if (wishes.refresh) this.refresh = wishes.refresh;
    if (wishes.audience) this.audience = wishes.audience;
  }

  #configuration() {
    const realm = this;
    const { redirect_uris = [], client_id = 'quarterdeck', client_secret = 'rig-secret', ...rest } = this.client;
    this.client = { client_id, client_secret, ...rest };
    return {
      clients: [{
        client_id,
        client_secret: client_secret || undefined,
        token_endpoint_auth_method: client_secret ? 'client_secret_basic' : 'none',
        redirect_uris,
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        id_token_signed_response_alg: this.keys.original.alg,
        ...rest,
      }],
      jwks: { keys: [this.keys.original.private] },
      cookies: { keys: ['rig'], names: cookieNames(this.name), long: { signed: false }, short: { signed: false } },
      scopes: ['openid', 'offline_access', 'profile', 'email', 'groups'],
      claims: { openid: ['sub', ...UNASKED], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
      // As most providers do: what the scopes ask for stands in the id token too.
      conformIdTokenClaims: false,
      features: {
        clientCredentials: { enabled: true },
        // A client's own token is for an API server, which reads its audience: a JWT. All others are as ever.
        resourceIndicators: {
          enabled: true,
          defaultResource: (ctx) =>
            ctx.oidc.params?.grant_type === 'client_credentials' ? realm.#noted(ctx.oidc.body) : undefined,
          getResourceServerInfo: (ctx) => ({
            scope: 'openid',
            // As those providers do that have a word for it of their own.
            audience: ctx.oidc.body?.audience ?? realm.audience ?? realm.client.client_id,
            accessTokenFormat: 'jwt',
            accessTokenTTL: realm.ttl.access,
            jwt: { sign: { alg: realm.keys.original.alg } },
          }),
        },
        devInteractions: { enabled: false },
        backchannelLogout: { enabled: true },
        rpInitiatedLogout: {
          enabled: true,
          // Signing out at the console is meant; nobody is asked twice.
          logoutSource(ctx, form) {
            ctx.body = page('Signing out', `${form}<button form="op.logoutForm" name="logout" value="yes">Sign out</button>`);
          },
        },
      },
      pkce: { required: () => true },
      rotateRefreshToken: () => realm.faults.rotation !== 'never',
      issueRefreshToken: (_ctx, client, code) =>
        client.grantTypeAllowed('refresh_token') &&
        (realm.refresh === 'always' || (realm.refresh === 'offline_access' && code.scopes.has('offline_access'))),
      ttl: {
        IdToken: () => realm.ttl.id,
        AccessToken: () => realm.ttl.access,
        ClientCredentials: () => realm.ttl.access,
        RefreshToken: () => realm.ttl.refresh,
        AuthorizationCode: () => realm.ttl.code,
        Grant: 86400,
        Interaction: 600,
        Session: 86400,
      },
      interactions: { url: (_ctx, interaction) => `${realm.path}/login/${interaction.uid}` },
      findAccount: (_ctx, id) => realm.#account(id),
      loadExistingGrant: (ctx) => realm.#grant(ctx),
      renderError: (ctx, out) => {
        ctx.type = 'json';
        ctx.body = out;
      },
    };
  }

  #account(id) {
    const person = this.people[id];
    // A refresh of somebody who was disabled finds nobody, and is refused.
    if (!person || person.disabled) return undefined;
    const { disabled, scoped, ...claims } = person;
    return { accountId: id, claims: () => ({ ...claims, sub: id }) };
  }

  // Nobody is asked for consent.
  async #grant(ctx) {
    const { session, client, params } = ctx.oidc;
    const known = session.grantIdFor(client.clientId);
    const grant = (known && (await this.provider.Grant.find(known))) ||
      new this.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope(params.scope);
    await grant.save();
    return grant;
  }

  // `path` begins after the realm's own.
  async handle(request, response, path) {
    const leg = LEGS[path] ?? (path.startsWith('/graph/') ? 'graph' : 'other');
    this.calls[leg] = (this.calls[leg] ?? 0) + 1;
    if (await this.#fails(leg, request, response)) return;
    if (leg === 'jwks') return answer(response, 200, this.keys.set());
    if (leg === 'graph') return this.#graph(request, response, path);
    if (path.startsWith('/login/')) return this.#login(request, response, path.split('/')[2]);
    if (leg === 'token') this.#intercept(response, (text, status) => this.#tokens(text, status, response));
    if (leg === 'userinfo') this.#intercept(response, (text, status) => this.#userinfo(text, status));
    if (leg === 'discovery') this.#intercept(response, (text) => this.#discovery(text));
    request.originalUrl = request.url;
    request.url = request.url.slice(this.path.length);
    this.callback(request, response);
  }

  // faults.legs: { token: { down, slow_ms, status, body, location, times, lose } }
  async #fails(leg, request, response) {
    const fault = this.faults.legs?.[leg];
    if (!fault) return false;
    if (fault.times !== undefined) {
      if (fault.times <= 0) return false;
      fault.times -= 1;
    }
    if (fault.slow_ms) await new Promise((done) => setTimeout(done, fault.slow_ms));
    if (fault.down) {
      request.socket.destroy();
      return true;
    }
    if (fault.lose) {
      // Does its work, and the answer never arrives: a rotation that only one side knows of.
      response.end = () => request.socket.destroy();
      return false;
    }
    if (fault.status) {
      if (fault.location) response.setHeader('location', fault.location);
      answer(response, fault.status, fault.body ?? { error: 'server_error' });
      return true;
    }
    return false;
  }

  // Holds an answer back until `change` has seen it.
  #intercept(response, change) {
    const end = response.end.bind(response);
    response.end = (chunk) => {
      // Whoever asked is gone.
      if (!chunk) return end();
      const text = chunk.toString();
      Promise.resolve(change(text, response.statusCode))
        .catch((error) => JSON.stringify({ error: 'rig', error_description: String(error) }))
        .then((changed) => {
          if (!response.headersSent) response.setHeader('content-length', Buffer.byteLength(changed));
          end(changed);
        });
      return response;
    };
  }

  // faults.id_token: { set: {claim: value}, remove: [claim], shift: {exp: -3600}, sign: how }
  async #tokens(text, status) {
    if (status !== 200) return text;
    const body = JSON.parse(text);
    const fault = this.faults.id_token ?? {};
    if (body.id_token) body.id_token = await this.rewrite(body.id_token, fault);
    if (fault.drop) delete body.id_token;
    if (this.faults.expires_in !== undefined) body.expires_in = this.faults.expires_in;
    if (this.faults.token_type) body.token_type = this.faults.token_type;
    this.tokens.push(...[body.id_token, body.access_token, body.refresh_token].filter(Boolean));
    return JSON.stringify(body);
  }

  async rewrite(token, fault) {
    const rotated = this.keys.current !== this.keys.original;
    if (Object.keys(fault).length === 0 && !rotated) return token;
    const claims = { ...jose.decodeJwt(token), ...fault.set };
    for (const name of fault.remove ?? []) delete claims[name];
    for (const [name, seconds] of Object.entries(fault.shift ?? {})) {
      claims[name] = (claims[name] ?? Math.floor(Date.now() / 1000)) + seconds;
    }
    return this.keys.sign(claims, fault.sign, { secret: this.client.client_secret });
  }

  #userinfo(text, status) {
    if (status !== 200) return text;
    const fault = this.faults.userinfo ?? {};
    const body = { ...JSON.parse(text), ...fault.set };
    for (const name of fault.remove ?? []) delete body[name];
    return JSON.stringify(body);
  }

  #discovery(text) {
    const fault = this.faults.discovery ?? {};
    const body = { ...JSON.parse(text), ...fault.set };
    for (const name of fault.remove ?? []) delete body[name];
    return JSON.stringify(body);
  }

  async #login(request, response, uid) {
    const interaction = await this.provider.interactionDetails(request, response).catch(() => undefined);
    if (!interaction || interaction.uid !== uid) return answer(response, 400, { error: 'no such login' });
    const form = request.method === 'POST' ? await readForm(request) : new URLSearchParams();
    const person = form.get('person') ?? interaction.params.login_hint;
    if (form.has('cancel')) {
      const refused = { error: 'access_denied', error_description: 'the person said no' };
      return this.provider.interactionFinished(request, response, refused, { mergeWithLastSubmission: false });
    }
    if (this.people[person] && !this.people[person].disabled) {
      const result = { login: { accountId: person, remember: true } };
      return this.provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
    }
    const buttons = Object.entries(this.people).map(
      ([id, { name }]) => `<p><button name="person" value="${escape(id)}">${escape(name ?? id)}</button></p>`,
    );
    const cancel = '<p><button name="cancel" value="yes">Cancel</button></p>';
    return answer(response, 200, page('Who are you?', `<form method="post">${buttons.join('')}${cancel}</form>`));
  }

  // As Microsoft Graph lists groups: pages of two, the next one by link. Only a living access token may read.
  async #graph(request, response, path) {
    const token = (request.headers.authorization ?? '').replace(/^Bearer /, '');
    const known = token && (await this.provider.AccessToken.find(token));
    if (!known) return answer(response, 401, { error: { code: 'InvalidAuthenticationToken' } });
    if (!path.startsWith('/graph/v1.0/me/transitiveMemberOf')) {
      return answer(response, 404, { error: { code: 'ResourceNotFound' } });
    }
    const url = new URL(request.url, this.issuer);
    const from = Number(url.searchParams.get('$skiptoken') ?? 0);
    const groups = this.people[known.accountId]?.graph_groups ?? this.people[known.accountId]?.groups ?? [];
    const value = groups.slice(from, from + 2).map((id) => ({ '@odata.type': '#microsoft.graph.group', id }));
    // What is no group stands there too.
    if (from === 0) value.push({ '@odata.type': '#microsoft.graph.directoryRole', id: 'a-role' });
    const next = from + 2 < groups.length ? { '@odata.nextLink': this.#next(path, from + 2) } : {};
    return answer(response, 200, { value, ...next });
  }

  #next(path, from) {
    const base = this.faults.graph_next ?? this.issuer + path;
    return this.faults.graph_endless ? `${base}?$skiptoken=0` : `${base}?$skiptoken=${from}`;
  }

  // What a client asked for, and the name of what it is for.
  #noted({ scope, audience }) {
    this.asked.push({ scope, audience });
    return `urn:${this.name}`;
  }

  // What a sign-in leaves that asked for `offline_access`.
  async refreshToken({ person = 'alice', scope = 'openid offline_access profile email groups' }) {
    const client = await this.provider.Client.find(this.client.client_id);
    const grant = new this.provider.Grant({ clientId: client.clientId, accountId: person });
    grant.addOIDCScope(scope);
    const now = Math.floor(Date.now() / 1000);
    const token = new this.provider.RefreshToken({
      accountId: person, client, grantId: await grant.save(), gty: 'authorization_code', scope, authTime: now, iiat: now,
    });
    const value = await token.save();
    this.tokens.push(value);
    return value;
  }

  // A logout token as the provider would post it; wishes: { sub, sid, set, remove, sign, typ }
  async logoutToken({ sub, sid, set, remove = [], shift = {}, sign, typ = 'logout+jwt' }) {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: this.issuer,
      aud: this.client.client_id,
      iat: now,
      exp: now + 120,
      jti: crypto.randomUUID(),
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
      ...(sub ? { sub } : {}),
      ...(sid ? { sid } : {}),
      ...set,
    };
    for (const name of remove) delete claims[name];
    for (const [name, seconds] of Object.entries(shift)) claims[name] += seconds;
    return this.keys.sign(claims, sign, { typ, secret: this.client.client_secret });
  }
}

// Cookies know no port and hardly a path: two realms in one browser must not share a session.
function cookieNames(name) {
  return { session: `_s_${name}`, interaction: `_i_${name}`, resume: `_r_${name}` };
}
