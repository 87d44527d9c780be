// Runs once for all files: a console with some real operations in it, found by the tests in CONSOLE_URL.
import { Console, type Role } from './console.ts';

export default async function setup(): Promise<() => Promise<void>> {
  const started = await Console.start();
  for (let run = 0; run < 3; run += 1) await started.selfCheck();
  process.env.CONSOLE_URL = started.url;
  const roles: Role[] = ['auditor', 'operator', 'admin'];
  const sessions = await Promise.all(roles.map(async (role) => [role, await started.session(role)]));
  process.env.CONSOLE_SESSIONS = JSON.stringify(Object.fromEntries(sessions));
  return () => started.stop();
}
