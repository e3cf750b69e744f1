/** All methods of the client port in one table. */

import type { Store } from '../../node/store.js';
import { addCluster, addMaintenance } from './cluster-service.js';
import { addHeal } from './heal-service.js';
import { addHealth, type Health } from './health-service.js';
import { addKv, type KvLimits } from './kv-service.js';
import type { Method, MethodTable } from './method.js';

export function clientMethods(store: Store, health: Health, limits: KvLimits): MethodTable {
  const table = new Map<string, Method>();
  addKv(table, store, limits);
  addCluster(table, store);
  addMaintenance(table, store);
  addHeal(table, store);
  addHealth(table, health);
  return table;
}
