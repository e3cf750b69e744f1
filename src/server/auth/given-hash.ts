/**
 * The hash that whoever changes a password gives in its place: bcrypt's text in base64, as etcd
 * takes it. What is kept is a hash that {@link Passwords} can compare with, or what no password is
 * good against: it never makes a login fail for another reason than its password.
 */

import { EtcdError } from '../../api/etcd-error.js';

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const BCRYPT = /^\$2[abxy]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/;
/** C1 Seconds to compare: one thread compares all passwords, and whoever logs in waits for it. */
const MAX_COST = 16;

/**
 * Undefined: it is not base64. What is no hash of bcrypt is, as with etcd, taken, and good for no
 * login. Throws EtcdError HASH_TOO_COSTLY.
 */
export function givenHash(base64: string): string | undefined {
  const text = base64.replaceAll(/[\r\n]/g, '');
  if (!BASE64.test(text)) return undefined;
  const hash = Buffer.from(text, 'base64').toString('latin1');
  const [, cost] = BCRYPT.exec(hash) ?? [];
  if (cost === undefined) return '';
  if (Number(cost) > MAX_COST) throw new EtcdError('HASH_TOO_COSTLY');
  return hash;
}
