/**
 * status: is the cluster well, what is wrong, and what to do, on one screen, in the manner of
 * `zpool status`.
 */

import type { HealStatus, Member, MemberStatus } from '../../client/client.js';
import { ClientError } from '../../client/client.js';
import { goJson } from '../render/go.js';
import { formatBytes, plainTable, type Cell } from '../render/table.js';
import { Failed, type Context } from './context.js';
import { hintJson, scrubWords } from './heal-commands.js';
import type { Register } from './register.js';

export interface MemberView {
  readonly member: Member;
  readonly endpoint: string | undefined;
  readonly status: MemberStatus | undefined;
  readonly heal: HealStatus | undefined;
  /** Why there is no status. */
  readonly error: string;
}

export type ClusterState = 'ONLINE' | 'DEGRADED' | 'UNAVAILABLE';

export interface Verdict {
  readonly state: ClusterState;
  readonly status: string;
  readonly action: string;
}

/** Applied entries that a member may be behind the leader without being worth a word. */
const LAG_ENTRIES = 5000;

async function look(context: Context, member: Member): Promise<MemberView> {
  const endpoint = member.clientUrls[0];
  if (endpoint === undefined) return { member, endpoint, status: undefined, heal: undefined, error: 'its client URL is not known (not started?)' };
  try {
    const status = await context.client.status({ endpoint });
    const heal = await context.client.heal.status({ endpoint }).catch((error: unknown) => {
      if (error instanceof ClientError) return undefined;
      throw error;
    });
    return { member, endpoint, status, heal, error: '' };
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    return { member, endpoint, status: undefined, heal: undefined, error: error.details };
  }
}

/** The worst that holds, first. */
export function judge(views: readonly MemberView[]): Verdict {
  const names = (list: readonly MemberView[]): string => list.map((v) => v.member.name || v.member.id.toString(16)).join(', ');
  const voters = views.filter((v) => !v.member.isLearner);
  const silent = views.filter((v) => v.status === undefined);
  const up = voters.filter((v) => v.status !== undefined);
  const led = up.filter((v) => v.status?.leader !== 0n);
  const majority = Math.floor(voters.length / 2) + 1;
  if (up.length < majority || led.length < majority) {
    return {
      state: 'UNAVAILABLE',
      status: up.length < majority
        ? `Only ${up.length} of ${voters.length} voting members answer (not: ${names(silent)}); a majority is ${majority}. Writes and linearizable reads wait.`
        : 'A majority of members answers but knows no leader. Writes and linearizable reads wait.',
      action: up.length < majority
        ? 'Start the missing members or restore their network. Serializable reads (get --consistency=s) still work.'
        : 'An election takes about a second. If this stays, check the network between the peer URLs.',
    };
  }
  if (silent.length > 0) {
    return {
      state: 'DEGRADED',
      status: `${names(silent)} did not answer: ${silent[0]?.error}. The cluster serves; it cannot lose ${majority === up.length ? 'another member' : 'many more members'}.`,
      action: `Start ${names(silent)} again. It catches up by itself.`,
    };
  }
  const troubled = views.filter((v) => (v.status?.errors ?? []).length > 0);
  if (troubled.length > 0) {
    const [first] = troubled;
    return { state: 'DEGRADED', status: `${names(troubled)}: ${first?.status?.errors.join('; ')}`, action: 'See the log of that member.' };
  }
  const hurt = views.filter((v) => (v.heal?.hints ?? []).some((hint) => hint.state !== 'done'));
  if (hurt.length > 0) {
    return {
      state: 'DEGRADED',
      status: 'Damaged blocks are known and being healed. Every read is still answered with the right bytes, or not at all.',
      action: 'None is needed. Progress: kintsugi ctl heal hints --cluster. If it stays, look at the disks of the members named there.',
    };
  }
  const newest = Math.max(...views.map((v) => v.status?.raftAppliedIndex ?? 0));
  const behind = views.filter((v) => newest - (v.status?.raftAppliedIndex ?? 0) > LAG_ENTRIES);
  if (behind.length > 0) {
    return { state: 'DEGRADED', status: `${names(behind)} is more than ${LAG_ENTRIES} entries behind.`, action: 'None is needed while it catches up; look at its disk and network if it does not.' };
  }
  return { state: 'ONLINE', status: 'All members answer, agree on a leader, and know of no damage.', action: 'None.' };
}

function stateOf(view: MemberView): string {
  const { status, member } = view;
  if (status === undefined) return 'SILENT';
  if (status.leader === 0n) return 'NO LEADER';
  if (member.isLearner) return 'LEARNER';
  return status.leader === status.header.memberId ? 'LEADER' : 'FOLLOWER';
}

const HEADERS = ['MEMBER', 'STATE', 'ENDPOINT', 'TERM', 'APPLIED', 'REVISION', 'SIZE', 'CORRECTED', 'BEYOND PARITY', 'REPAIRED', 'HEALED', 'HINTS', 'LAST SCRUB'];

function row(view: MemberView): Cell[] {
  const { member, status, heal } = view;
  const known = status === undefined ? ['-', '-', '-', '-'] : [status.raftTerm, status.raftAppliedIndex, status.header.revision, formatBytes(status.dbSize)];
  const healing = heal === undefined
    ? ['-', '-', '-', '-', '-', '-']
    : [
        heal.counters.correctedBlocks, heal.counters.uncorrectableBlocks, heal.counters.repairedBlocks, heal.counters.healsApplied,
        heal.hints.length, scrubWords(heal.scrub, Date.now()),
      ];
  return [member.name || member.id.toString(16), stateOf(view), view.endpoint ?? '-', ...known, ...healing];
}

function scanLine(views: readonly MemberView[]): string {
  const heals = views.flatMap((v) => (v.heal === undefined ? [] : [v.heal]));
  const running = heals.filter((h) => h.scrub.state === 'running');
  if (running.length > 0) return `scrub in progress on ${running.map((h) => `${h.name} (${scrubWords(h.scrub, Date.now())})`).join(', ')}`;
  const never = heals.filter((h) => h.scrub.lastCompletedAt === undefined);
  if (never.length === heals.length) return 'no scrub was completed since the members started; run kintsugi ctl scrub --cluster';
  const faults = heals.reduce((sum, h) => sum + h.scrub.faults, 0);
  const partly = never.length > 0 ? `; never on ${never.map((h) => h.name).join(', ')}` : '';
  return `last scrub found ${faults} faults${partly}`;
}

function dataLine(views: readonly MemberView[]): string {
  const open = views.flatMap((v) => v.heal?.hints ?? []).filter((hint) => hint.state !== 'done');
  if (open.length === 0) return 'No known data errors';
  return `${open.length} hints are open; see kintsugi ctl heal hints --cluster`;
}

async function status(context: Context): Promise<void> {
  const { header, members } = await context.client.memberList();
  const views = await Promise.all(members.map((member) => look(context, member)));
  const verdict = judge(views);
  if (context.format === 'json') {
    const list = views.map((v) => ({
      name: v.member.name, memberId: v.member.id.toString(16), endpoint: v.endpoint, state: stateOf(v), error: v.error === '' ? undefined : v.error,
      term: v.status?.raftTerm, appliedIndex: v.status?.raftAppliedIndex, revision: v.status?.header.revision, dbBytes: v.status?.dbSize,
      counters: v.heal && { ...v.heal.counters }, hints: v.heal?.hints.map(hintJson),
    }));
    context.io.out(`${goJson({ cluster: header.clusterId.toString(16), ...verdict, members: list })}\n`);
  } else {
    const lines = [
      `cluster: ${header.clusterId.toString(16)}`, `  state: ${verdict.state}`, ` status: ${verdict.status}`, ` action: ${verdict.action}`, `   scan: ${scanLine(views)}`, '',
    ];
    context.io.out(`${lines.join('\n')}\n${plainTable(HEADERS, views.map(row), '  ')}\n errors: ${dataLine(views)}\n`);
  }
  if (verdict.state === 'UNAVAILABLE') throw new Failed('');
}

export function addStatusCommand(register: Register): void {
  register.command('status', '', 'is the cluster well, what is wrong, and what to do', status, `
  kintsugi ctl status
  kintsugi ctl status -w json
Exit code 1 if no majority serves.`);
}
