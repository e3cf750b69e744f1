/** What is kept of a token: who knows it cannot log in with it. */

import { createHash } from 'node:crypto';

/** SHA-256 in hex. */
export function digestOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
