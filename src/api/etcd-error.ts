/**
 * The refusals that etcd's clients know. Clients match the whole message, so `ETCD_MESSAGES` is
 * etcd's text to the letter; the gRPC status of each code is the server's table.
 */

import { KintsugiError } from '../base/errors.js';

export const ETCD_MESSAGES = {
  EMPTY_KEY: 'etcdserver: key is not provided',
  KEY_NOT_FOUND: 'etcdserver: key not found',
  VALUE_PROVIDED: 'etcdserver: value is provided',
  LEASE_PROVIDED: 'etcdserver: lease is provided',
  INVALID_SORT_OPTION: 'etcdserver: invalid sort option',
  TOO_MANY_OPS: 'etcdserver: too many operations in txn request',
  DUPLICATE_KEY: 'etcdserver: duplicate key given in txn request',
  COMPACTED: 'etcdserver: mvcc: required revision has been compacted',
  FUTURE_REVISION: 'etcdserver: mvcc: required revision is a future revision',
  NO_SPACE: 'etcdserver: mvcc: database space exceeded',
  LEASE_NOT_FOUND: 'etcdserver: requested lease not found',
  LEASE_EXISTS: 'etcdserver: lease already exists',
  LEASE_TTL_TOO_LARGE: 'etcdserver: too large lease TTL',
  /** Ours: etcd bounds the request only. INVALID_ARGUMENT. */
  KEY_TOO_LONG: 'kintsugi: key is too long',
  REQUEST_TOO_LARGE: 'etcdserver: request is too large',
  /** Ours: RESOURCE_EXHAUSTED, as grpc-go says of a message beyond its limit. */
  RESPONSE_TOO_LARGE: 'kintsugi: response is too large',
  TOO_MANY_REQUESTS: 'etcdserver: too many requests',
  NO_LEADER: 'etcdserver: no leader',
  NOT_LEADER: 'etcdserver: not leader',
  LEADER_CHANGED: 'etcdserver: leader changed',
  BAD_LEADER_TRANSFEREE: 'etcdserver: bad leader transferee',
  STOPPED: 'etcdserver: server stopped',
  TIMEOUT: 'etcdserver: request timed out',
  TIMEOUT_LEADER_FAIL: 'etcdserver: request timed out, possibly due to previous leader failure',
  TIMEOUT_WAIT_APPLIED: 'etcdserver: request timed out, waiting for the applied index took too long',
  UNHEALTHY: 'etcdserver: unhealthy cluster',
  MEMBER_NOT_FOUND: 'etcdserver: member not found',
  MEMBER_EXISTS: 'etcdserver: member ID already exist',
  PEER_URL_EXISTS: 'etcdserver: Peer URLs already exists',
  MEMBER_BAD_URLS: 'etcdserver: given member URLs are invalid',
  MEMBER_NOT_LEARNER: 'etcdserver: can only promote a learner member',
  LEARNER_NOT_READY: 'etcdserver: can only promote a learner member which is in sync with leader',
  TOO_MANY_LEARNERS: 'etcdserver: too many learner members in cluster',
  NOT_ENOUGH_STARTED: 'etcdserver: re-configuration failed due to not enough started members',
  LEARNER: 'etcdserver: rpc not supported for learner',
  /** Ours: a member runs a program that could not read it. FAILED_PRECONDITION. */
  CLUSTER_TOO_OLD: 'kintsugi: the version of the cluster does not allow this yet',
  /** Ours: only one that is gone is followed by another in its place. FAILED_PRECONDITION. */
  MEMBER_ACTIVE: 'kintsugi: the member in whose place another one is to be is active',
  WRONG_DOWNGRADE_VERSION_FORMAT: 'etcdserver: wrong downgrade target version format',
  INVALID_DOWNGRADE_TARGET_VERSION: 'etcdserver: invalid downgrade target version',
  DOWNGRADE_IN_PROCESS: 'etcdserver: cluster has a downgrade job in progress',
  /** Ours: what the cluster holds, or a member, stands in the way. FAILED_PRECONDITION. */
  DOWNGRADE_REFUSED: 'kintsugi: the cluster cannot be downgraded',
  ROOT_USER_NOT_EXIST: 'etcdserver: root user does not exist',
  ROOT_ROLE_NOT_EXIST: 'etcdserver: root user does not have root role',
  USER_ALREADY_EXIST: 'etcdserver: user name already exists',
  USER_EMPTY: 'etcdserver: user name is empty',
  USER_NOT_FOUND: 'etcdserver: user name not found',
  ROLE_ALREADY_EXIST: 'etcdserver: role name already exists',
  ROLE_NOT_FOUND: 'etcdserver: role name not found',
  ROLE_EMPTY: 'etcdserver: role name is empty',
  AUTH_FAILED: 'etcdserver: authentication failed, invalid user ID or password',
  PERMISSION_NOT_GIVEN: 'etcdserver: permission not given',
  PERMISSION_DENIED: 'etcdserver: permission denied',
  ROLE_NOT_GRANTED: 'etcdserver: role is not granted to the user',
  PERMISSION_NOT_GRANTED: 'etcdserver: permission is not granted to the role',
  AUTH_NOT_ENABLED: 'etcdserver: authentication is not enabled',
  INVALID_AUTH_TOKEN: 'etcdserver: invalid auth token',
  INVALID_AUTH_MGMT: 'etcdserver: invalid auth management',
  AUTH_OLD_REVISION: 'etcdserver: revision of auth store is old',
  /** Ours: users and roles are sealed whole. RESOURCE_EXHAUSTED. */
  AUTH_TOO_LARGE: 'kintsugi: users and roles are too many or too large',
  /** In bcrypt's words, as etcd passes them on: UNKNOWN. */
  NO_PASSWORD_USER: 'auth: authentication failed, password was given for no password user',
  PASSWORD_TOO_LONG: 'bcrypt: password length exceeds 72 bytes',
  /** Ours: it would be compared for minutes, and with it all passwords. INVALID_ARGUMENT. */
  HASH_TOO_COSTLY: 'kintsugi: a password hash of a cost above 16 holds up every login; hash it with a lower one',
  CORRUPT: 'etcdserver: corrupt cluster',
  /** Ours: every copy of a block is beyond repair. The message goes on to name the block. */
  DATA_LOSS: 'kintsugi: no good copy of a block is left',
} as const;

export type EtcdErrorCode = keyof typeof ETCD_MESSAGES;

/**
 * A refusal that changed nothing, except TIMEOUT*: there the outcome is unknown, and
 * RESPONSE_TOO_LARGE, which says what was done. `message` is what the client gets.
 */
export class EtcdError extends KintsugiError<EtcdErrorCode> {
  override readonly name = 'EtcdError';
  /** What goes over the wire: without the code in front. */
  readonly wireMessage: string;

  constructor(code: EtcdErrorCode, detail = '', cause?: unknown) {
    const text = detail === '' ? ETCD_MESSAGES[code] : `${ETCD_MESSAGES[code]}: ${detail}`;
    super(code, text, {}, cause);
    this.wireMessage = text;
  }
}
