// A cluster of the practice fleet, and no console: each benchmark starts its own.
import { Fleet } from '../support/fleet.ts';

export default async function setup(): Promise<() => Promise<void>> {
  const fleet = Fleet.begin();
  if (fleet) process.env.FLEET_DIR = fleet.folder;
  return async () => fleet?.end();
}
