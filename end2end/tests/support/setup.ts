// Runs once for all files: a console with some real operations in it, found by the tests in CONSOLE_URL, and a cluster
// of the practice fleet, which may still be on its way (FLEET_DIR).
import { Console, type Role } from './console.ts';
import { Fleet } from './fleet.ts';

export default async function setup(): Promise<() => Promise<void>> {
  const fleet = Fleet.begin();
  if (fleet) process.env.FLEET_DIR = fleet.folder;
  const started = await Console.start();
  for (let run = 0; run < 3; run += 1) await started.selfCheck();
  process.env.CONSOLE_URL = started.url;
  const roles: Role[] = ['auditor', 'operator', 'admin'];
  const sessions = await Promise.all(roles.map(async (role) => [role, await started.session(role)]));
  process.env.CONSOLE_SESSIONS = JSON.stringify(Object.fromEntries(sessions));
  return async () => {
    await started.stop();
    await fleet?.end();
  };
}
