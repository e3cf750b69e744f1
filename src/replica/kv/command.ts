/** What a client asks for, as the log carries it, and what applying it answers. */

import type { AuthCommand, AuthResponse } from '../auth/auth-command.js';
import type {
  CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, TxnRequest, TxnResponse,
} from '../../api/requests.js';
import type { LeaseId, Revision } from '../../base/ids.js';

export interface LeaseGrant {
  /** Not 0. */
  readonly id: LeaseId;
  /** Seconds, above 0. */
  readonly ttl: number;
}

/** What a leader says of the time that is left of a lease. */
export interface LeaseCheckpoint {
  readonly id: LeaseId;
  /** Milliseconds, at most the TTL; 0: all of it. */
  readonly remainingMs: number;
}

export interface LeaseResponse {
  readonly revision: Revision;
}

/** Clients grant and revoke leases; a leader revokes what has ended, and checkpoints. */
export type LeaseCommand =
  | { readonly kind: 'lease-grant'; readonly request: LeaseGrant }
  | { readonly kind: 'lease-revoke'; readonly request: { readonly id: LeaseId } }
  | { readonly kind: 'lease-checkpoint'; readonly request: { readonly checkpoints: readonly LeaseCheckpoint[] } };

/** What goes through the log. Only validated requests are proposed. */
export type KvCommand =
  | { readonly kind: 'put'; readonly request: PutRequest }
  | { readonly kind: 'delete-range'; readonly request: DeleteRangeRequest }
  | { readonly kind: 'txn'; readonly request: TxnRequest }
  | { readonly kind: 'compact'; readonly request: CompactionRequest }
  | LeaseCommand;

/** What a client's request becomes in the log. */
export type ClientCommand = KvCommand | { readonly kind: 'auth'; readonly change: AuthCommand };

export type CommandResponse = KvResponse | { readonly kind: 'auth'; readonly response: AuthResponse };

export type KvResponse =
  | { readonly kind: 'put'; readonly response: PutResponse }
  | { readonly kind: 'delete-range'; readonly response: DeleteRangeResponse }
  | { readonly kind: 'txn'; readonly response: TxnResponse }
  | { readonly kind: 'compact'; readonly response: CompactionResponse }
  | { readonly kind: 'lease-grant'; readonly response: LeaseResponse }
  | { readonly kind: 'lease-revoke'; readonly response: LeaseResponse }
  | { readonly kind: 'lease-checkpoint'; readonly response: LeaseResponse };

export function isLeaseCommand(command: KvCommand): command is LeaseCommand {
  return command.kind === 'lease-grant' || command.kind === 'lease-revoke' || command.kind === 'lease-checkpoint';
}
