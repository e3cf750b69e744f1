/** Who may reach the client port over HTTP, as the flags say it: see `web/access.ts`. */

import type { AccessRules } from '../web/access.js';
import { UsageError } from './spec.js';

const ORIGIN = /^https?:\/\/[^/?#\s@]+$/;
const HOST = /^[^/\s]+$/;

/** Throws UsageError. */
export function accessOf(origins: readonly string[], hosts: readonly string[]): AccessRules {
  for (const origin of origins) {
    if (origin !== '*' && !ORIGIN.test(origin)) {
      throw new UsageError(`--cors: ${JSON.stringify(origin)} is not an origin such as https://page.example or http://page.example:8080, nor *`);
    }
  }
  for (const host of hosts) {
    if (!HOST.test(host)) throw new UsageError(`--host-whitelist: ${JSON.stringify(host)} is not a host name such as db.example, nor *`);
  }
  return { origins, hosts };
}
