/**
 * kintsugi.v1.Heal: what this node knows of its damage, a scrub with progress, and its tables'
 * digests.
 */

import type { HintStatus } from '../../healing/status/hint-status.js';
import type { ScrubStatus } from '../../healing/status/scrub-status.js';
import type { Store } from '../../node/store.js';
import { addCold, type ColdSender } from './cold.js';
import type { Method } from '../../grpc/method.js';

/** At most this often does a running scrub report. */
const PROGRESS_INTERVAL_MS = 200;

function hintMessage(hint: HintStatus): object {
  return {
    table_id: String(hint.tableId),
    kind: hint.kind,
    node: String(hint.node),
    state: hint.state,
    offsets: hint.offsets?.map(String) ?? [],
    all: hint.offsets === undefined,
  };
}

function scrubMessage(status: ScrubStatus): Record<string, unknown> {
  return {
    state: status.state,
    scanned_bytes: String(status.scannedBytes),
    total_bytes: String(status.totalBytes),
    scanned_tables: String(status.scannedTables),
    total_tables: String(status.totalTables),
    faults: String(status.faults),
    last_completed_at: String(status.lastCompletedAt ?? 0),
    past_cache: status.pastCache,
  };
}

async function scrub(store: Store, bytesPerSecond: number, out: ColdSender): Promise<void> {
  let last: ScrubStatus | undefined;
  let reported = -Infinity;
  let writing: Promise<void> | undefined;
  const onProgress = (status: ScrubStatus): void => {
    last = status;
    const now = performance.now();
    // One message in flight: a slow reader sees fewer of them.
    if (writing !== undefined || out.cancelled || now - reported < PROGRESS_INTERVAL_MS) return;
    reported = now;
    writing = out.write(scrubMessage(status)).finally(() => {
      writing = undefined;
    });
    writing.catch(() => undefined);
  };
  const report = await store.scrub(onProgress, bytesPerSecond > 0 ? { bytesPerSecond } : {});
  await writing;
  if (out.cancelled) return;
  const final = scrubMessage(last ?? store.status().scrub);
  await out.write({
    ...final,
    state: 'idle',
    scanned_bytes: String(report.bytes),
    total_bytes: String(report.bytes),
    scanned_tables: String(report.tables),
    total_tables: String(report.tables),
    faults: String(report.faults),
    past_cache: report.pastCache,
    done: true,
    blocks: String(report.blocks),
    duration_ms: String(Math.round(report.durationMs)),
  });
}

function healStatus(store: Store): object {
  const status = store.status();
  const counters = Object.entries(status.heal).map(([name, value]) => [snake(name), String(value)]);
  return {
    name: status.name,
    member_id: String(status.memberId),
    leader: String(status.leader),
    counters: Object.fromEntries(counters) as object,
    scrub: scrubMessage(status.scrub),
    hints: status.hints.map(hintMessage),
  };
}

function verification(store: Store): object {
  const status = store.status();
  return {
    name: status.name,
    member_id: String(status.memberId),
    applied_index: String(status.appliedIndex),
    materialized_index: String(status.materializedIndex),
    revision: String(status.revision),
    tables: status.manifest.tables.map((t) => ({
      id: String(t.id), level: t.level, bytes: String(t.bytes), digest: t.digest,
    })),
  };
}

export function addHeal(table: Map<string, Method>, store: Store): void {
  addCold(table, 'kintsugi.v1.Heal', {
    Status: () => healStatus(store),
    Hints: () => ({ hints: store.hints().map(hintMessage) }),
    Verify: () => verification(store),
  }, {
    Scrub: (request, out) => scrub(store, Number(request['bytes_per_second']), out),
  });
}

function snake(camel: string): string {
  return camel.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
