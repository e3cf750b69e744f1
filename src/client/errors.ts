/**
 * What a call to the cluster can end with. The code is gRPC's status by name; whether a caller may
 * simply ask again follows from the code alone: UNAVAILABLE is transient, everything else is an
 * answer.
 */

import { KintsugiError } from '../base/errors.js';

/** gRPC's statuses in the order of their numbers; 0 is success and no error. */
export const GRPC_CODES = [
  'OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS', 'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE',
  'DATA_LOSS', 'UNAUTHENTICATED',
] as const;

export type ClientErrorCode = Exclude<(typeof GRPC_CODES)[number], 'OK'>;

export interface ClientErrorInit {
  /** The server's own words, such as `etcdserver: key not found`. */
  readonly details: string;
  /** Who answered, or could not be reached. */
  readonly endpoint?: string | undefined;
  /** Nothing was sent: whatever was asked for did not happen. */
  readonly unsent?: boolean;
  /** It was a write, and whether it was carried out is not known. */
  readonly outcomeUnknown?: boolean;
  readonly attempts?: number;
  /** What each endpoint that was tried said last. */
  readonly failures?: ReadonlyMap<string, string>;
  readonly cause?: unknown;
}

/** The only error that a {@link Client} rejects with. */
export class ClientError extends KintsugiError<ClientErrorCode> {
  override readonly name = 'ClientError';
  readonly details: string;
  readonly endpoint: string | undefined;
  /** True: the request never left this process. */
  readonly unsent: boolean;
  /**
   * True: a write may or may not have been carried out, and may yet be. Read before you write
   * again, or write by a txn whose compare tells the two apart. False: it was not.
   */
  readonly outcomeUnknown: boolean;
  /** How often the call was tried, at any endpoint. */
  readonly attempts: number;
  /** What each endpoint that was tried said last; empty after a single attempt. */
  readonly failures: ReadonlyMap<string, string>;

  constructor(code: ClientErrorCode, init: ClientErrorInit) {
    const { details, endpoint, unsent = false, outcomeUnknown = false, attempts = 1, failures = new Map(), cause } = init;
    const from = endpoint === undefined ? '' : ` (from ${endpoint})`;
    const unknown = outcomeUnknown ? '; whether it was carried out is not known' : '';
    super(code, `${details}${from}${unknown}`, { endpoint, unsent, attempts }, cause);
    this.details = details;
    this.endpoint = endpoint;
    this.unsent = unsent;
    this.outcomeUnknown = outcomeUnknown;
    this.attempts = attempts;
    this.failures = failures;
  }

  /** Asking again may help. */
  get transient(): boolean {
    return this.code === 'UNAVAILABLE';
  }
}

/** Others changed what was read, so often that it was given up. Nothing was written. */
export class ConflictError extends ClientError {
  constructor(details: string, attempts: number) {
    super('ABORTED', { details, attempts });
  }
}

/** What a watch has yet to tell was compacted: read the keys anew, and watch from there. */
export class CompactedError extends ClientError {
  /** The oldest revision that a watch may begin at now. */
  readonly compactRevision: number;

  constructor(compactRevision: number, endpoint: string) {
    super('OUT_OF_RANGE', { details: `etcdserver: mvcc: required revision has been compacted: up to ${compactRevision}`, endpoint });
    this.compactRevision = compactRevision;
  }
}

/** An argument that no server needs to see. */
export function badArgument(details: string): ClientError {
  return new ClientError('INVALID_ARGUMENT', { details, unsent: true });
}

export function codeOfStatus(status: number): ClientErrorCode {
  const code = GRPC_CODES[status];
  return code === undefined || code === 'OK' ? 'UNKNOWN' : code;
}

/** Of a status as Go writes it: `PermissionDenied`. */
export function codeOfStatusName(name: string): ClientErrorCode {
  return codeOfStatus(GRPC_CODES.indexOf(name.replaceAll(/(?!^)[A-Z]/g, '_$&').toUpperCase() as ClientErrorCode));
}
