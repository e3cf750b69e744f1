/** What a client asks for, as the log carries it, and what applying it answers. */

import type { AuthCommand, AuthResponse } from '../auth/auth-command.js';
import type {
  CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, TxnRequest, TxnResponse,
} from '../../api/requests.js';

/** What goes through the log. Only validated requests are proposed. */
export type KvCommand =
  | { readonly kind: 'put'; readonly request: PutRequest }
  | { readonly kind: 'delete-range'; readonly request: DeleteRangeRequest }
  | { readonly kind: 'txn'; readonly request: TxnRequest }
  | { readonly kind: 'compact'; readonly request: CompactionRequest };

/** What a client's request becomes in the log. */
export type ClientCommand = KvCommand | { readonly kind: 'auth'; readonly change: AuthCommand };

export type CommandResponse = KvResponse | { readonly kind: 'auth'; readonly response: AuthResponse };

export type KvResponse =
  | { readonly kind: 'put'; readonly response: PutResponse }
  | { readonly kind: 'delete-range'; readonly response: DeleteRangeResponse }
  | { readonly kind: 'txn'; readonly response: TxnResponse }
  | { readonly kind: 'compact'; readonly response: CompactionResponse };
