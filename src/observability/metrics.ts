/**
 * Prometheus metrics: own names, and etcd's for what its alerts and dashboards look at. Levels are
 * read from the node's status at scrape time; only what would be lost between scrapes is counted
 * from events.
 */

import { setImmediate as immediate } from 'node:timers/promises';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { EventSink, KintsugiEvent } from '../base/events.js';
import { formatId } from '../base/ids.js';
import type { NodeStatus, Store } from '../node/store.js';
import { ETCD_METRICS } from './etcd-metrics.js';
import { LoopDelay } from './loop-delay.js';
import type { RpcStats, Sample } from './rpc-stats.js';
import { TurnTimes } from './turn-times.js';

const FSYNC_BUCKETS = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 4, 8];

/** A metric takes some 20 us, a line of one with many lines about one. */
const METRICS_PER_SLICE = 16;
const LINES_PER_SLICE = 256;

/** What is counted elsewhere: prom-client would take ten times as long for it, in one piece. */
interface Counted {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly values: () => readonly Sample[];
}

/** Values of labels are names of methods and codes, and bounds: none needs an escape. */
function lineOf(name: string, { metricName = name, labels, value }: Sample): string {
  let within = '';
  for (const label in labels) within += `${within === '' ? '' : ','}${label}="${labels[label]}"`;
  return within === '' ? `${metricName} ${value}` : `${metricName}{${within}} ${value}`;
}

export class Metrics implements EventSink {
  readonly registry = new Registry();
  readonly #loop = new LoopDelay();
  readonly #turns = new TurnTimes();
  #store: Store | undefined;
  /** As of the page that is being made. */
  #status: NodeStatus | undefined;
  readonly #counted: Counted[] = [];
  readonly #onEvent = new Map<KintsugiEvent['type'], (event: KintsugiEvent) => void>();

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    this.#eventCounters();
    const late = 'kintsugi_event_loop_delay_seconds';
    const turn = 'kintsugi_event_loop_turn_seconds';
    this.#counted.push(
      { name: late, help: 'How late a timer came that was due, by turns of the event loop.', type: 'histogram', values: () => this.#loop.histogram.samples(late) },
      { name: turn, help: 'CPU time that a turn of the event loop took.', type: 'histogram', values: () => this.#turns.histogram.samples(turn) },
    );
  }

  #on<T extends KintsugiEvent['type']>(type: T, fn: (event: Extract<KintsugiEvent, { type: T }>) => void): void {
    this.#onEvent.set(type, fn as (event: KintsugiEvent) => void);
  }

  emit(event: KintsugiEvent): void {
    this.#onEvent.get(event.type)?.(event);
  }

  #eventCounters(): void {
    const registers = [this.registry];
    const counter = (name: string, help: string): Counter => new Counter({ name, help, registers });
    const labelled = <L extends string>(name: string, help: string, labelNames: L[]): Counter<L> =>
      new Counter({ name, help, labelNames, registers });

    const fsync = new Histogram({
      name: 'etcd_disk_wal_fsync_duration_seconds', help: 'Time of one durable write to the log.', buckets: FSYNC_BUCKETS, registers,
    });
    const logBytes = counter('kintsugi_log_written_bytes_total', 'Bytes written to the log.');
    const walBytes = counter('etcd_disk_wal_write_bytes_total', 'The same, under the name that etcd has for it.');
    this.#on('log-sync', (event) => {
      fsync.observe(event.durationMs / 1000);
      logBytes.inc(event.bytes);
      walBytes.inc(event.bytes);
    });
    const applied = counter('etcd_server_proposals_applied_total', 'Log entries applied.');
    this.#on('applied', (event) => applied.inc(event.count));
    const failed = counter('etcd_server_proposals_failed_total', 'Proposals that failed.');
    this.#on('proposal-failed', () => failed.inc());
    const leaders = counter('etcd_server_leader_changes_seen_total', 'Leader changes seen.');
    let leader = 0;
    this.#on('role-changed', (event) => {
      if (event.leader !== 0 && event.leader !== leader) leaders.inc();
      leader = event.leader || leader;
    });
    const reproposed = counter('kintsugi_proposals_reproposed_total', 'Proposals that were given to a new leader.');
    this.#on('proposal-reproposed', (event) => reproposed.inc(event.count));
    const corrected = labelled('kintsugi_heal_blocks_corrected_total', 'Blocks that parity restored.', ['scheme']);
    this.#on('block-corrected', (event) => corrected.inc({ scheme: event.scheme }));
    const fetched = labelled('kintsugi_heal_peer_fetch_total', 'Blocks asked of peers, by outcome.', ['result']);
    const unreadable = counter('kintsugi_heal_blocks_unreadable_total', 'Blocks beyond parity.');
    this.#on('block-unreadable', () => unreadable.inc());
    this.#on('block-repaired', () => fetched.inc({ result: 'repaired' }));
    const produced = counter('kintsugi_lsm_produced_bytes_total', 'Bytes that flushes and compactions wrote.');
    this.#on('produced', (event) => produced.inc(event.bytes));
    const disagreed = counter('kintsugi_lsm_digest_disagreed_total', 'Plans whose outputs differed between members.');
    this.#on('digest-disagreed', () => disagreed.inc());
    const snapshotBytes = counter('kintsugi_snapshot_fetched_bytes_total', 'Table bytes fetched for snapshots.');
    const received = labelled('etcd_network_snapshot_receive_success', 'Snapshots that were taken of another member.', ['From']);
    this.#on('snapshot-received', ({ from, fetchedBytes }) => {
      snapshotBytes.inc(fetchedBytes);
      received.inc({ From: formatId(from) });
    });
    const granted = counter('etcd_debugging_lease_granted_total', 'Leases granted.');
    const revoked = counter('etcd_debugging_lease_revoked_total', 'Leases that went, expired ones too.');
    this.#on('leases-changed', (event) => {
      granted.inc(event.granted);
      revoked.inc(event.revoked);
    });
    const renewed = counter('etcd_debugging_lease_renewed_total', 'Keep-alives that this member answered as leader.');
    this.#on('leases-renewed', (event) => renewed.inc(event.count));
    const expired = counter('etcd_debugging_server_lease_expired_total', 'Leases that this member let end as leader.');
    this.#on('leases-expired', (event) => expired.inc(event.count));
    const healthy = counter('etcd_server_health_success', 'Times that /health was asked for and all was well.');
    const unhealthy = counter('etcd_server_health_failures', 'Times that /health was asked for and it was not.');
    const check = new Gauge({ name: 'etcd_server_healthcheck', help: 'What each check of /livez and /readyz last said.', labelNames: ['type', 'name'], registers });
    const checks = labelled('etcd_server_healthchecks_total', 'What the checks of /livez and /readyz said.', ['type', 'name', 'status']);
    this.#on('health-checked', ({ page, check: name, ok }) => {
      if (page === 'health') return (ok ? healthy : unhealthy).inc();
      check.set({ type: page, name }, ok ? 1 : 0);
      checks.inc({ type: page, name, status: ok ? 'success' : 'error' });
    });
    const diskFailures = counter('kintsugi_disk_failures_total', 'Writes and syncs that the disk refused.');
    this.#on('disk-failed', () => diskFailures.inc());
  }

  /**
   * All metrics as they are now, in Prometheus' text form. The status of the node is looked at
   * once; the page is made in slices, and costs milliseconds: whoever serves it keeps it.
   */
  async page(): Promise<string> {
    this.#status = this.#store?.status();
    const parts: string[] = [];
    for (const { name } of this.registry.getMetricsAsArray()) {
      parts.push(await this.registry.getSingleMetricAsString(name));
      if (parts.length % METRICS_PER_SLICE === 0) await immediate();
    }
    for (const { name, help, type, values } of this.#counted) {
      await immediate();
      const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
      for (const sample of values()) {
        if (lines.push(lineOf(name, sample)) % LINES_PER_SLICE === 0) await immediate();
      }
      parts.push(lines.join('\n'));
    }
    return `${parts.join('\n\n')}\n`;
  }

  /** Gauges from the status of the node, counters of its RPCs. */
  attach(store: Store, rpc: RpcStats): void {
    this.#store = store;
    const statusNow = (): NodeStatus => (this.#status ??= store.status());
    const gauge = (name: string, help: string, read: (status: NodeStatus) => number): Gauge =>
      new Gauge({
        name, help, registers: [this.registry],
        collect() {
          this.set(read(statusNow()));
        },
      });
    gauge('etcd_server_has_leader', '1 if a leader is known.', (s) => (s.leader === 0 ? 0 : 1));
    gauge('etcd_server_is_leader', '1 if this member leads.', (s) => (s.role === 'leader' ? 1 : 0));
    gauge('etcd_server_proposals_committed_total', 'Commit index.', (s) => s.commitIndex);
    gauge('etcd_server_proposals_pending', 'Entries committed and not applied.', (s) => s.commitIndex - s.appliedIndex);
    gauge('etcd_mvcc_db_total_size_in_bytes', 'Bytes of live tables and memtables.', (s) => s.dbBytes);
    gauge('etcd_debugging_mvcc_current_revision', 'Revision of the store.', (s) => s.revision);
    gauge('kintsugi_leases', 'Leases that there are.', (s) => s.leases);
    gauge('etcd_debugging_auth_revision', 'Grows with each change of users, roles and permissions.', (s) => s.authRevision);
    gauge('etcd_debugging_mvcc_watch_stream_total', 'Streams of watches.', (s) => s.watches.streams);
    gauge('etcd_debugging_mvcc_watcher_total', 'Watchers.', (s) => s.watches.watchers);
    gauge('etcd_debugging_mvcc_slow_watcher_total', 'Watchers that lag behind.', (s) => s.watches.slow);
    gauge('kintsugi_lsm_owed_tables', 'Tables of the manifest that are not local yet.', (s) => s.owedTables);
    gauge('kintsugi_lsm_pending_plans', 'Compactions decided and not done.', (s) => s.pendingPlans);
    gauge('kintsugi_lsm_memtable_bytes', 'Bytes in memtables.', (s) => s.memtableBytes);
    gauge('kintsugi_heal_tables_pending', 'Tables with an open hint.', (s) => s.hints.filter((h) => h.state !== 'done').length);
    gauge('kintsugi_scrub_progress_ratio', 'Part of the tables that the running scrub has read.',
      (s) => (s.scrub.totalBytes === 0 ? 0 : s.scrub.scannedBytes / s.scrub.totalBytes));
    gauge('kintsugi_scrub_last_completed_timestamp_seconds', 'When a scrub last ended.', (s) => (s.scrub.lastCompletedAt ?? 0) / 1000);
    new Gauge({
      name: 'kintsugi_lsm_level_bytes', help: 'Bytes of tables by level.', labelNames: ['level'], registers: [this.registry],
      collect() {
        this.reset();
        for (const table of statusNow().manifest.tables) this.inc({ level: table.level }, table.bytes);
      },
    });
    for (const [name, type, help, read] of ETCD_METRICS) {
      this.#counted.push({ name, type, help, values: () => read({ status: statusNow(), alarms: store.activeAlarms() }) });
    }
    this.countRpcs(rpc);
  }

  /** Of each RPC how often it was called, how it ended, and the time that it took. */
  countRpcs(rpc: RpcStats): void {
    const seconds = 'grpc_server_handling_seconds';
    this.#counted.push(
      { name: 'grpc_server_started_total', help: 'RPCs started.', type: 'counter', values: () => rpc.started() },
      { name: 'grpc_server_handled_total', help: 'RPCs completed, by code.', type: 'counter', values: () => rpc.handled() },
      { name: 'etcd_network_client_grpc_received_bytes_total', help: 'Bytes of messages from clients.', type: 'counter', values: () => rpc.bytes('receivedBytes') },
      { name: 'etcd_network_client_grpc_sent_bytes_total', help: 'Bytes of messages to clients.', type: 'counter', values: () => rpc.bytes('sentBytes') },
      { name: seconds, help: 'Time of RPCs.', type: 'histogram', values: () => rpc.handlingSeconds(seconds) },
    );
  }
}
