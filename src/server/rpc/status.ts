/**
 * One total table from our refusals to gRPC's statuses. Clients match code and message, so both are
 * etcd's. Whatever is transient is UNAVAILABLE: clients retry that and nothing else.
 */

import { AssertionError } from '../../base/assert.js';
import { CodecError, KintsugiError, NetworkError, messageOf } from '../../base/errors.js';
import { EtcdError, type EtcdErrorCode } from '../../api/etcd-error.js';
import { Code, type StatusCode } from '../../grpc/code.js';
import { RpcError, type RpcStatus } from '../../grpc/status.js';

export const ETCD_STATUS: Readonly<Record<EtcdErrorCode, StatusCode>> = {
  EMPTY_KEY: Code.INVALID_ARGUMENT,
  KEY_NOT_FOUND: Code.INVALID_ARGUMENT,
  KEY_TOO_LONG: Code.INVALID_ARGUMENT,
  VALUE_PROVIDED: Code.INVALID_ARGUMENT,
  LEASE_PROVIDED: Code.INVALID_ARGUMENT,
  INVALID_SORT_OPTION: Code.INVALID_ARGUMENT,
  TOO_MANY_OPS: Code.INVALID_ARGUMENT,
  DUPLICATE_KEY: Code.INVALID_ARGUMENT,
  COMPACTED: Code.OUT_OF_RANGE,
  FUTURE_REVISION: Code.OUT_OF_RANGE,
  NO_SPACE: Code.RESOURCE_EXHAUSTED,
  LEASE_NOT_FOUND: Code.NOT_FOUND,
  LEASE_EXISTS: Code.FAILED_PRECONDITION,
  LEASE_TTL_TOO_LARGE: Code.OUT_OF_RANGE,
  REQUEST_TOO_LARGE: Code.INVALID_ARGUMENT,
  RESPONSE_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
  TOO_MANY_REQUESTS: Code.RESOURCE_EXHAUSTED,
  NO_LEADER: Code.UNAVAILABLE,
  NOT_LEADER: Code.FAILED_PRECONDITION,
  LEADER_CHANGED: Code.UNAVAILABLE,
  BAD_LEADER_TRANSFEREE: Code.FAILED_PRECONDITION,
  STOPPED: Code.UNAVAILABLE,
  TIMEOUT: Code.UNAVAILABLE,
  TIMEOUT_LEADER_FAIL: Code.UNAVAILABLE,
  TIMEOUT_WAIT_APPLIED: Code.UNAVAILABLE,
  UNHEALTHY: Code.UNAVAILABLE,
  MEMBER_NOT_FOUND: Code.NOT_FOUND,
  MEMBER_EXISTS: Code.FAILED_PRECONDITION,
  PEER_URL_EXISTS: Code.FAILED_PRECONDITION,
  MEMBER_BAD_URLS: Code.INVALID_ARGUMENT,
  MEMBER_NOT_LEARNER: Code.FAILED_PRECONDITION,
  LEARNER_NOT_READY: Code.FAILED_PRECONDITION,
  TOO_MANY_LEARNERS: Code.FAILED_PRECONDITION,
  NOT_ENOUGH_STARTED: Code.FAILED_PRECONDITION,
  LEARNER: Code.UNAVAILABLE,
  CLUSTER_TOO_OLD: Code.FAILED_PRECONDITION,
  MEMBER_ACTIVE: Code.FAILED_PRECONDITION,
  WRONG_DOWNGRADE_VERSION_FORMAT: Code.INVALID_ARGUMENT,
  INVALID_DOWNGRADE_TARGET_VERSION: Code.INVALID_ARGUMENT,
  DOWNGRADE_IN_PROCESS: Code.FAILED_PRECONDITION,
  DOWNGRADE_REFUSED: Code.FAILED_PRECONDITION,
  ROOT_USER_NOT_EXIST: Code.FAILED_PRECONDITION,
  ROOT_ROLE_NOT_EXIST: Code.FAILED_PRECONDITION,
  USER_ALREADY_EXIST: Code.FAILED_PRECONDITION,
  USER_EMPTY: Code.INVALID_ARGUMENT,
  USER_NOT_FOUND: Code.FAILED_PRECONDITION,
  ROLE_ALREADY_EXIST: Code.FAILED_PRECONDITION,
  ROLE_NOT_FOUND: Code.FAILED_PRECONDITION,
  ROLE_EMPTY: Code.INVALID_ARGUMENT,
  AUTH_FAILED: Code.INVALID_ARGUMENT,
  PERMISSION_NOT_GIVEN: Code.INVALID_ARGUMENT,
  PERMISSION_DENIED: Code.PERMISSION_DENIED,
  ROLE_NOT_GRANTED: Code.FAILED_PRECONDITION,
  PERMISSION_NOT_GRANTED: Code.FAILED_PRECONDITION,
  AUTH_NOT_ENABLED: Code.FAILED_PRECONDITION,
  INVALID_AUTH_TOKEN: Code.UNAUTHENTICATED,
  INVALID_AUTH_MGMT: Code.INVALID_ARGUMENT,
  AUTH_OLD_REVISION: Code.INVALID_ARGUMENT,
  AUTH_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
  NO_PASSWORD_USER: Code.UNKNOWN,
  PASSWORD_TOO_LONG: Code.UNKNOWN,
  HASH_TOO_COSTLY: Code.INVALID_ARGUMENT,
  CORRUPT: Code.DATA_LOSS,
  DATA_LOSS: Code.DATA_LOSS,
};

/**
 * What goes over the wire for anything that was thrown. A broken invariant goes on to stop the
 * process; the client only learns that the answer is unknown.
 */
export function statusOf(error: unknown): RpcStatus {
  if (error instanceof RpcError) return error;
  if (error instanceof EtcdError) return { code: ETCD_STATUS[error.code], details: error.wireMessage };
  if (error instanceof CodecError) {
    return { code: Code.INTERNAL, details: `grpc: error unmarshalling request: ${error.message.slice('CODEC: '.length)}` };
  }
  if (error instanceof NetworkError) return { code: Code.UNAVAILABLE, details: `kintsugi: ${error.message}` };
  if (error instanceof AssertionError) {
    queueMicrotask(() => {
      throw error;
    });
    return { code: Code.UNAVAILABLE, details: `kintsugi: ${error.message}` };
  }
  if (error instanceof KintsugiError) return { code: Code.UNAVAILABLE, details: `kintsugi: ${error.message}` };
  return { code: Code.UNKNOWN, details: messageOf(error) };
}
