/**
 * What lower layers tell the world. They emit, and know nothing of metrics or logs;
 * `observability/` subscribes. A new kind of event is one more member of the union.
 */

import type { LogIndex, NodeId, TableId, Term } from './ids.js';

export type KintsugiEvent =
  | { readonly type: 'role-changed'; readonly role: string; readonly term: Term; readonly leader: NodeId }
  | { readonly type: 'leader-lost'; readonly term: Term; readonly why: string }
  | { readonly type: 'log-sync'; readonly durationMs: number; readonly bytes: number; readonly entries: number }
  | { readonly type: 'applied'; readonly count: number; readonly index: LogIndex }
  /** Were granted and revoked by entries that this member has applied. */
  | { readonly type: 'leases-changed'; readonly granted: number; readonly revoked: number }
  /** The leader has answered so many keep-alives. */
  | { readonly type: 'leases-renewed'; readonly count: number }
  /** The leader has let so many end. */
  | { readonly type: 'leases-expired'; readonly count: number }
  | { readonly type: 'proposal-reproposed'; readonly count: number; readonly leader: NodeId }
  | { readonly type: 'proposal-failed'; readonly code: string }
  | { readonly type: 'sealed'; readonly index: LogIndex; readonly bytes: number }
  | { readonly type: 'plan'; readonly plan: LogIndex; readonly kind: string; readonly inputs: readonly TableId[]; readonly outputLevel: number }
  | { readonly type: 'produced'; readonly plan: LogIndex; readonly tables: number; readonly bytes: number; readonly durationMs: number }
  | { readonly type: 'digest-disagreed'; readonly plan: LogIndex; readonly nodes: readonly NodeId[] }
  | { readonly type: 'edit'; readonly index: LogIndex; readonly plan: LogIndex; readonly added: readonly TableId[]; readonly removed: readonly TableId[] }
  | { readonly type: 'edit-refused'; readonly index: LogIndex; readonly why: string }
  | { readonly type: 'materialized'; readonly table: TableId; readonly how: 'relink' | 'produce' | 'fetch' | 'rewrite'; readonly bytes: number }
  | { readonly type: 'snapshot-sent'; readonly to: NodeId; readonly index: LogIndex }
  | { readonly type: 'snapshot-received'; readonly from: NodeId; readonly index: LogIndex; readonly fetchedBytes: number; readonly reusedBytes: number }
  | {
      readonly type: 'snapshot-progress'; readonly from: NodeId; readonly index: LogIndex; readonly tables: number; readonly totalTables: number;
      readonly bytes: number; readonly totalBytes: number;
    }
  | { readonly type: 'log-truncated'; readonly below: LogIndex }
  | { readonly type: 'block-corrected'; readonly table: TableId; readonly offset: number; readonly scheme: string; readonly persistent: boolean }
  | { readonly type: 'block-unreadable'; readonly table: TableId; readonly offset: number; readonly why: string }
  | { readonly type: 'block-repaired'; readonly table: TableId; readonly offset: number; readonly from: NodeId }
  | { readonly type: 'hint'; readonly table: TableId; readonly node: NodeId; readonly kind: string; readonly state: string }
  | { readonly type: 'hints-forwarded'; readonly count: number; readonly leader: NodeId }
  | { readonly type: 'hints-received'; readonly count: number; readonly from: NodeId }
  | { readonly type: 'heal-proposed'; readonly table: TableId }
  | { readonly type: 'heal-applied'; readonly removed: TableId; readonly added: TableId; readonly index: LogIndex }
  | { readonly type: 'heal-failed'; readonly table: TableId; readonly why: string }
  | { readonly type: 'scrub-done'; readonly tables: number; readonly bytes: number; readonly faults: number; readonly durationMs: number }
  | { readonly type: 'members-changed'; readonly index: LogIndex; readonly change: string; readonly members: number }
  /** How far a member is that comes back as a new one; `why`: what it waits for. */
  | { readonly type: 'readmission'; readonly stage: 'asks' | 'admitted' | 'begun' | 'over'; readonly to: NodeId; readonly why: string }
  /** By which way a log was judged when it was opened, or what becomes of an entry that it lost. */
  | { readonly type: 'log-way'; readonly of: 'judgement' | 'recovery'; readonly way: string }
  | { readonly type: 'disk-failed'; readonly what: string; readonly why: string }
  /** The disk has no room for what was to be written, or has room again. */
  | { readonly type: 'disk-room'; readonly short: boolean; readonly why: string }
  /** Certificates, keys, authorities or revocation lists have changed, and are in use. */
  | { readonly type: 'tls-reloaded'; readonly certFile: string; readonly revoked: number }
  /** Somebody has asked how this member is: by a page, and there one check. */
  | { readonly type: 'health-checked'; readonly page: string; readonly check: string; readonly ok: boolean }
  | { readonly type: 'warning'; readonly message: string; readonly data: Readonly<Record<string, unknown>> };

export interface EventSink {
  /** Never throws; a subscriber's failure is the subscriber's. */
  emit(event: KintsugiEvent): void;
}
