// A cluster of the practice fleet: started once by `setup.ts` for all specs, waited for by the first that asks, and a
// console of the worker's own that has it registered. Knows the fleet by what it writes down, and its API server as any
// other caller does.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { type RequestOptions, request } from 'node:https';
import { type Server, type Socket, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Console, type Role, until } from './console.ts';
import { test as base } from './page.ts';

/** What `fleet.json` says of a cluster. */
interface Told {
  name: string;
  state: 'starting' | 'ready' | 'failed';
  proxied_url: string;
  ca: string;
  admin_kubeconfig: string;
  viewer_kubeconfig: string;
  error?: string;
}

/** A kubeconfig as kubectl writes it; JSON is YAML. */
export interface Kubeconfig {
  apiVersion: 'v1';
  kind: 'Config';
  clusters: object[];
  users: object[];
  contexts: object[];
  'current-context': string;
}

/** Why there is no cluster; empty where there is one. */
export const missing = process.env.FLEET_DIR
  ? ''
  : `there is no practice fleet: ${process.env.FLEET_MISSING ?? 'run `cargo xtask test browser`'}`;

/** The running fleet, for whoever started it. */
export class Fleet {
  private constructor(
    readonly folder: string,
    private readonly child: ChildProcess,
  ) {}

  /** Begins one cluster and waits for nothing; undefined without its programs. */
  static begin(): Fleet | undefined {
    const { FLEET_BIN, FLEET_TOOLS } = process.env;
    if (!FLEET_BIN || !FLEET_TOOLS) return undefined;
    // Short, because unix sockets lie below it.
    const folder = mkdtempSync(join(tmpdir(), 'qd-'));
    const log = openSync(join(folder, 'up.log'), 'a');
    const args = ['up', '--clusters', '1', '--nodes', '6', '--dir', folder, '--tools', FLEET_TOOLS];
    // It ends with us, however we end: its standard input closes then.
    const child = spawn(FLEET_BIN, [...args, '--until-stdin-closes'], { stdio: ['pipe', log, log] });
    closeSync(log);
    return new Fleet(folder, child);
  }

  async end(): Promise<void> {
    if (this.child.exitCode === null) {
      const gone = new Promise((resolve) => this.child.once('exit', resolve));
      this.child.stdin?.end();
      await gone;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The cluster, ready. */
export class Practice {
  private constructor(
    private readonly folder: string,
    private readonly told: Told,
  ) {}

  static async ready(): Promise<Practice> {
    const folder = process.env.FLEET_DIR;
    if (!folder) throw new Error(missing);
    let found: Told | undefined;
    await until(
      'the practice cluster is ready',
      async () => {
        found = read(join(folder, 'fleet.json'))?.clusters[0];
        if (found?.state === 'failed') throw new Error(`the cluster failed: ${found.error}`);
        return found?.state === 'ready';
      },
      240,
    );
    return new Practice(folder, found as Told);
  }

  get url(): string {
    return this.told.proxied_url;
  }

  get ca(): string {
    return this.told.ca;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** The kubeconfig of one who reads everything but secrets, or of the admin. */
  kubeconfig(who: 'viewer' | 'admin' = 'viewer'): string {
    const path = who === 'admin' ? this.told.admin_kubeconfig : this.told.viewer_kubeconfig;
    return readFileSync(path, 'utf8');
  }

  /** The viewer's token. */
  get token(): string {
    return JSON.parse(this.kubeconfig()).users[0].user.token;
  }

  /** A kubeconfig with a context of each name, all of them this cluster, as the viewer. */
  contexts(names: string[]): Kubeconfig {
    const one = JSON.parse(this.kubeconfig());
    const { cluster } = (one.clusters as { cluster: object }[])[0];
    const { user } = (one.users as { user: object }[])[0];
    return {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: names.map((name) => ({ name, cluster })),
      users: names.map((name) => ({ name, user })),
      contexts: names.map((name) => ({ name, context: { cluster: name, user: name } })),
      'current-context': names[0],
    };
  }

  /** Plays a scene of the fleet, or undoes it. */
  async scene(name: string, undo = false, more: string[] = []): Promise<void> {
    const args = ['scene', name, '--dir', this.folder, ...(undo ? ['--undo'] : []), ...more];
    await promisify(execFile)(process.env.FLEET_BIN ?? '', args);
  }

  /** Asks the API server as its admin. */
  async ask<T>(method: string, path: string, body?: object): Promise<T> {
    const { users } = JSON.parse(this.kubeconfig('admin'));
    const { 'client-certificate-data': cert, 'client-key-data': key } = users[0].user;
    const pem = (text: string) => Buffer.from(text, 'base64').toString();
    const options: RequestOptions = {
      method,
      ca: this.ca,
      cert: pem(cert),
      key: pem(key),
      headers: { 'content-type': 'application/json', accept: 'application/json' },
    };
    const { status, text } = await send(new URL(path, this.url), options, body && JSON.stringify(body));
    if (status >= 300) throw new Error(`${method} ${path} answered ${status}: ${text}`);
    return JSON.parse(text) as T;
  }

  /** A viewer's token that lives so long. */
  async tokenFor(hours: number): Promise<string> {
    const made = await this.ask<{ status: { token: string } }>(
      'POST',
      '/api/v1/namespaces/fleet-access/serviceaccounts/viewer/token',
      { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: hours * 3600 } },
    );
    return made.status.token;
  }

  /** Another way to the same API server, which the test opens and shuts. */
  gate(): Promise<Gate> {
    return Gate.open(this.port);
  }
}

/** A port that leads on to another one, until it is shut. */
export class Gate {
  private server?: Server;
  private readonly passing = new Set<Socket>();

  private constructor(
    private readonly to: number,
    private port: number,
  ) {}

  static async open(to: number): Promise<Gate> {
    const gate = new Gate(to, 0);
    await gate.open();
    return gate;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** At the same port as before. */
  open(): Promise<void> {
    const server = createServer((near) => {
      const far = connect(this.to, '127.0.0.1');
      for (const socket of [near, far]) {
        this.passing.add(socket);
        socket.once('close', () => this.passing.delete(socket));
        socket.on('error', () => [near, far].forEach((both) => both.destroy()));
      }
      near.pipe(far).pipe(near);
    });
    this.server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', () => {
        this.port = (server.address() as { port: number }).port;
        resolve();
      });
    });
  }

  /** Whoever knocks is refused, and whoever was on the way is cut off. */
  async shut(): Promise<void> {
    const server = this.server;
    this.server = undefined;
    if (!server) return;
    const closed = new Promise((resolve) => server.close(resolve));
    this.passing.forEach((socket) => socket.destroy());
    await closed;
  }
}

/** A console with the cluster in its registry. */
export class Harbour {
  private constructor(
    readonly console: Console,
    readonly practice: Practice,
    /** The console's id of the cluster. */
    readonly id: string,
  ) {}

  static async at(practice: Practice): Promise<Harbour> {
    const own = await Console.start();
    const credentials = { auth_type: 'KUBECONFIG', kubeconfig: practice.kubeconfig() };
    const about = { cluster_type: 'HUB', environment: 'PRODUCTION', region: 'eu-north', display_name: 'Harbour' };
    const labels = { team: 'platform' };
    const id = await register(own, { name: 'harbour', api_server_url: practice.url, credentials, labels, ...about });
    await until('the cluster was looked at', async () => {
      const { state } = (await api(own, 'GET', `/api/v1/clusters/${id}/status`)).json() as { state: string };
      return state === 'ONLINE';
    });
    return new Harbour(own, practice, id);
  }

  /** The address of the cluster's page, or of one of its lists. */
  page(list?: 'nodes' | 'pods' | 'workloads' | 'events'): string {
    return `${this.console.url}/clusters/${this.id}${list ? `/${list}` : ''}`;
  }
}

/** Asks the console over JSON. */
export async function api(own: Console, method: string, path: string, body?: object, as: Role = 'admin') {
  const answer = await fetch(own.url + path, {
    method,
    headers: { 'content-type': 'application/json', 'x-api-key': own.key(as) },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, text, json: () => JSON.parse(text) };
}

/** Registers a cluster over JSON; says the console's id of it. */
export async function register(own: Console, cluster: { name: string } & Record<string, unknown>): Promise<string> {
  const answer = await api(own, 'POST', '/api/v1/clusters', cluster);
  if (answer.status !== 201) throw new Error(`registering answered ${answer.status}: ${answer.text}`);
  const { id } = answer.json() as { id: string };
  return id;
}

/** The names of all clusters that a console has. */
export async function names(own: Console): Promise<string[]> {
  const { items } = (await api(own, 'GET', '/api/v1/clusters?page_size=100')).json() as { items: { name: string }[] };
  return items.map(({ name }) => name);
}

/** What the audit log says, newest first: each action with its outcome. */
export async function audited(own: Console): Promise<string[]> {
  const { items } = (await api(own, 'GET', '/api/v1/audit?page_size=50')).json() as { items: Record<string, unknown>[] };
  return items.map((item) => JSON.stringify(item));
}

/**
 * `harbour` is shared by the specs of a worker, so they leave it as it was; `own` is an empty console for one spec.
 * All of them are skipped, with the reason, where there is no cluster.
 */
export const test = base.extend<{ own: Console; skipped: void }, { practice: Practice; harbour: Harbour }>({
  skipped: [
    async ({}, use, info) => {
      info.skip(missing !== '', missing);
      await use();
    },
    { auto: true },
  ],
  // Those of a worker are made before any of its specs can say that it is skipped.
  practice: [
    async ({}, use) => use(missing ? (undefined as never) : await Practice.ready()),
    { scope: 'worker', timeout: 300_000 },
  ],
  harbour: [
    async ({ practice }, use) => {
      if (missing) return use(undefined as never);
      const harbour = await Harbour.at(practice);
      await use(harbour);
      await harbour.console.stop();
    },
    { scope: 'worker', timeout: 120_000 },
  ],
  own: async ({ context }, use) => {
    const own = await Console.start();
    await own.enter(context);
    await use(own);
    await own.stop();
  },
});

function read(path: string): { clusters: Told[] } | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function send(url: URL, options: RequestOptions, body?: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, options, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk) => (text += chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    asked.once('error', reject);
    asked.end(body);
  });
}
