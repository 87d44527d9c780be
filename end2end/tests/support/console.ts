// Starts and stops a real console for the tests. Owns its database folder and its process, nothing else.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContext, Page } from '@playwright/test';

export type Role = 'auditor' | 'operator' | 'admin';

/** Who can sign in, as the console writes it down for its demo. */
interface People {
  users: { name: string; role: Role; password: string }[];
  api_keys: Record<Role, string>;
}

/** The pages that are open in this worker. */
export const openPages = new Set<Page>();

export class Console {
  private child?: ChildProcess;
  private log = '';
  private people?: People;
  private readonly cookies = new Map<Role, string>();

  private constructor(
    readonly url: string,
    private readonly args: string[],
    private readonly folder: string,
  ) {}

  /** A console with an empty database on a free port; `more` are further arguments. */
  static async start(...more: string[]): Promise<Console> {
    const folder = mkdtempSync(join(tmpdir(), 'quarterdeck-'));
    const [port, metrics] = [await freePort(), await freePort()];
    const args = [
      'serve',
      `--listen=127.0.0.1:${port}`,
      `--metrics-listen=127.0.0.1:${metrics}`,
      `--database-url=sqlite:${join(folder, 'quarterdeck.db')}`,
      `--demo-users=${join(folder, 'users.json')}`,
      ...more,
    ];
    const started = new Console(`http://127.0.0.1:${port}`, args, folder);
    await started.launch();
    return started;
  }

  /** Ends the process and starts it again over the same database and address. */
  async restart(): Promise<void> {
    await this.end();
    await this.launch();
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }

  /** Its visitors leave first: a page still fetching its scripts would report the end of its console as a fault. */
  async stop(): Promise<void> {
    const visitors = [...openPages].filter((page) => page.url().startsWith(this.url));
    await Promise.all(visitors.map((page) => page.goto('about:blank')));
    await this.end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async launch(): Promise<void> {
    const binary = process.env.QUARTERDECK_BIN;
    if (!binary) throw new Error('QUARTERDECK_BIN is not set: run `cargo xtask test browser`');
    const own = ([name]: [string, unknown]) => !/^(QUARTERDECK_|DATABASE_URL$)/.test(name);
    const env = Object.fromEntries(Object.entries(process.env).filter(own));
    const child = spawn(binary, this.args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    const keep = (chunk: Buffer) => (this.log = (this.log + chunk).slice(-20_000));
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    await until(`the console at ${this.url} is ready`, async () => {
      if (child.exitCode !== null) throw new Error(`the console ended:\n${this.log}`);
      const answer = await fetch(`${this.url}/readyz`).catch(() => undefined);
      return answer?.ok ?? false;
    });
    // Written before the console answers; sessions outlive a restart, passwords and keys do not.
    this.people = JSON.parse(readFileSync(join(this.folder, 'users.json'), 'utf8')) as People;
  }

  /** The key of one of the demo's people: of this start of the console. */
  key(role: Role): string {
    const key = this.people?.api_keys[role];
    if (!key) throw new Error('the console has not told its people');
    return key;
  }

  user(role: Role): People['users'][number] {
    const user = this.people?.users.find((user) => user.role === role);
    if (!user) throw new Error('the console has not told its people');
    return user;
  }

  /** A session of that role, begun once as a machine begins it. */
  async session(role: Role): Promise<string> {
    const known = this.cookies.get(role);
    if (known) return known;
    const { name, password } = this.user(role);
    const answer = await fetch(`${this.url}/api/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, password }),
    });
    const cookie = /qd_session=([^;]+)/.exec(answer.headers.get('set-cookie') ?? '')?.[1];
    if (answer.status !== 201 || !cookie) throw new Error(`sign-in answered ${answer.status}`);
    this.cookies.set(role, cookie);
    return cookie;
  }

  /** Lets a browser in. Cookies know no ports: the last console entered is the one that the browser is known to. */
  async enter(context: BrowserContext, role: Role = 'admin'): Promise<void> {
    await context.addCookies([{ name: 'qd_session', value: await this.session(role), url: this.url }]);
  }

  /** What the program says of an exported bundle, with this console's key and nothing else of it. */
  async verify(bundle: string): Promise<{ code: number | null; said: string }> {
    const key = `--vault-key-file=${join(this.folder, 'quarterdeck.db.key')}`;
    const child = spawn(process.env.QUARTERDECK_BIN ?? '', ['audit', 'verify', '--bundle', bundle, key]);
    let said = '';
    child.stdout.on('data', (chunk) => (said += chunk));
    child.stderr.on('data', (chunk) => (said += chunk));
    return new Promise((resolve) => child.once('exit', (code) => resolve({ code, said })));
  }

  /** Starts one self-check through the API and waits until it has ended. */
  async selfCheck(target?: string): Promise<number> {
    const answer = await fetch(`${this.url}/api/v1/operations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': this.key('admin') },
      body: JSON.stringify({ type: 'system.self_check', target }),
    });
    if (answer.status !== 201) throw new Error(`start answered ${answer.status}: ${await answer.text()}`);
    const { id } = (await answer.json()) as { id: number };
    await until(`operation ${id} has ended`, async () => {
      const headers = { 'x-api-key': this.key('admin') };
      const run = await fetch(`${this.url}/api/v1/operations/${id}`, { headers });
      return ((await run.json()) as { status: string }).status === 'completed';
    });
    return id;
  }
}

/** Asks again until the fact holds; an error thrown by `fact` ends the wait. */
export async function until(what: string, fact: () => Promise<boolean>, seconds = 30): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await fact())) {
    if (Date.now() > end) throw new Error(`waited ${seconds} s in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
