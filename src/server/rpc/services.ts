/**
 * All methods of the client port in one table. What is served, reflected, counted and reported as
 * healthy follows from this table and from the `.proto` files. Each has a row in the table of
 * permissions (`permissions.ts`): one without does not start.
 */

import type { Store } from '../../node/store.js';
import { addCluster, addMaintenance } from './cluster-service.js';
import { addBackup } from './backup-service.js';
import { addHeal } from './heal-service.js';
import { addHealth, type Health } from './health-service.js';
import type { RequestLimits } from './hot.js';
import { addMembers } from './members-service.js';
import { addReflection } from './reflection-service.js';
import { addKv } from './kv-service.js';
import type { JwtTokens } from '../auth/jwt.js';
import { Passwords } from '../auth/passwords.js';
import { addAuth } from './auth-service.js';
import { addElection } from './election-service.js';
import { addLock } from './lock-service.js';
import { Places } from '../concurrency/places.js';
import { guarded } from './guarded.js';
import { addLease } from './lease-service.js';
import { addWatch } from './watch-service.js';
import type { Method, MethodTable } from '../../grpc/method.js';

export function clientMethods(
  store: Store, health: Health, limits: RequestLimits, passwords = new Passwords(10), jwt?: JwtTokens,
): MethodTable {
  const table = new Map<string, Method>();
  addKv(table, store, limits);
  addLease(table, store);
  addWatch(table, store);
  addCluster(table, store);
  addMaintenance(table, store);
  addHeal(table, store);
  addBackup(table, store);
  addMembers(table, store);
  addHealth(table, health);
  addReflection(table);
  addAuth(table, store, { passwords, jwt });
  const places = new Places(store);
  addLock(table, places, limits);
  addElection(table, places, limits);
  for (const [path, method] of table) table.set(path, guarded(path, method, store));
  return table;
}
