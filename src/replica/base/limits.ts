/**
 * What may be how large, from a client's request to a peer's disk. Each limit has room for what
 * the one before it becomes, so that whatever a node was allowed to take fits everywhere behind it
 * (C1):
 *
 *     request  ->  entry: the request in an envelope, with the id of its proposal
 *     entry    ->  segment of the log: as large as it takes (`log/segment-layout.ts`)
 *     entry    ->  message to a peer: with the small ones that are said together with it
 *     value    ->  block: with what was in the block before it (`storage/block/handle.ts`)
 *     block    ->  reply to a peer that repairs or fetches it
 *     outputs of a compaction  ->  report to the leader  ->  edit, which is an entry
 *
 * A manifest has no limit: what a record on disk, or a message to a peer, cannot hold goes in
 * parts.
 *
 * They are the same on all members whatever their flags say: `--max-request-bytes` bounds what this
 * node takes from its clients, never what it takes from its peers.
 */

import { KiB, MiB } from '../../base/bytes.js';

/** The most that a node may be told to take from its clients in one write request. */
export const MAX_REQUEST_BYTES = 64 * MiB;

/** Of an entry's data. What it has besides the request depends on the number of operations. */
export const MAX_ENTRY_BYTES = MAX_REQUEST_BYTES + 256 * KiB;

/** A frame, or the request or reply of a call, between two members. */
export const MAX_MESSAGE_BYTES = MAX_REQUEST_BYTES + 4 * MiB;
