/** Canaries in consensus: votes, acknowledgements, commits, reads, proposals. */

import type { Canary } from './canary.js';

/** The store's own assertion sees it first: what is to be shown is that the simulator does. */
const UNGUARDED_TERMS = {
  file: 'replica/consensus/outbox.ts',
  find: '      if (term > durable && !isPreVote(message)) {',
  replace: '      if (term > Math.max(term, durable) && !isPreVote(message)) {',
};

export const CONSENSUS: readonly Canary[] = [
  {
    name: 'ack-before-fsync',
    what: 'A follower acknowledges entries before they are on its disk.',
    breaks: 'R2',
    profile: 'table',
    expectedChecks: ['acknowledged entries are durable', 'acknowledged entries survive', 'committed entries are durable on a majority'],
    edits: [
      {
        file: 'raft/state.ts',
        find: "    switch (message.type) {\n      case 'MsgAppResp':",
        replace: "    if (message.type === 'MsgAppResp' && message.to !== this.id) {\n      this.messages.push(message);\n      return;\n    }\n" +
          "    switch (message.type) {\n      case 'MsgAppResp':",
      },
    ],
  },
  {
    name: 'leader-counts-itself-before-fsync',
    what: 'A leader counts its own copy of an entry towards the quorum before that copy is on its disk.',
    breaks: 'R2',
    profile: 'table',
    expectedChecks: ['acknowledged entries are durable', 'acknowledged entries survive', 'committed entries are durable on a majority'],
    edits: [
      {
        file: 'raft/replication.ts',
        find: '  ack.index = raft.log.lastIndex;\n  raft.send(ack);',
        replace: '  ack.index = raft.log.lastIndex;\n  raft.tracker.get(raft.id)?.acknowledge(ack.index);\n  raft.send(ack);',
      },
    ],
  },
  {
    name: 'double-vote-after-restart',
    what: 'Term and vote are written only along with entries, so that a restart forgets a vote that was given.',
    breaks: 'R2',
    profile: 'table',
    expectedChecks: ['promises are durable before they are sent', 'promises survive', 'no double vote', 'one leader per term'],
    edits: [
      {
        file: 'replica/consensus/write-queue.ts',
        find: '    if (term !== this.#durable.term || vote !== this.#durable.vote) await this.#promise(term, vote);',
        replace: '    if ((term !== this.#durable.term || vote !== this.#durable.vote) && entries.length > 0) await this.#promise(term, vote);',
      },
      UNGUARDED_TERMS,
    ],
  },
  {
    name: 'vote-sent-before-durable',
    what: 'A vote leaves while it is still being written.',
    breaks: 'R2',
    profile: 'table',
    expectedChecks: ['promises are durable before they are sent', 'promises survive', 'no double vote', 'one leader per term'],
    edits: [
      {
        file: 'raft/state.ts',
        find: "    switch (message.type) {\n      case 'MsgAppResp':",
        replace: "    if (message.type === 'MsgVoteResp' && message.to !== this.id) {\n      this.messages.push(message);\n      return;\n    }\n" +
          "    switch (message.type) {\n      case 'MsgAppResp':",
      },
      UNGUARDED_TERMS,
    ],
  },
  {
    name: 'vote-after-wipe',
    what: 'A known member whose data directory was emptied starts without asking the others, and votes again.',
    breaks: 'R1',
    profile: 'full',
    edits: [{ file: 'replica/replica.ts', find: '    await checkStart({', replace: '    if (term !== 0) await checkStart({' }],
  },
  {
    name: 'commit-old-term-by-counting',
    what: 'A leader commits an entry of an earlier term because a majority has it (Raft paper, figure 8); one entry a message makes that common.',
    breaks: 'R3',
    profile: 'table',
    expectedChecks: ['only entries of its own term are committed by counting'],
    edits: [
      {
        file: 'raft/replication.ts',
        find: 'index <= log.committed || !log.matches(index, raft.term)) return false;',
        replace: 'index <= log.committed) return false;',
      },
      { file: 'replica/consensus/make-core.ts', find: 'maxSizePerMsg: APPEND_BYTES,', replace: 'maxSizePerMsg: 1,' },
    ],
  },
  {
    name: 'read-without-read-index',
    what: 'Every member serves linearizable reads from what it has applied.',
    breaks: 'R4',
    profile: 'table',
    expectedChecks: ['R4 real time', 'linearizable reads are current', 'linearizable'],
    edits: [
      {
        file: 'replica/reads/reads.ts',
        find: '    await readIndex.wait();\n    // A snapshot',
        replace: '    // A snapshot',
      },
    ],
  },
  {
    name: 'stale-leader-serves-reads',
    what: 'A leader answers reads without asking a quorum whether it still leads.',
    breaks: 'R4',
    profile: 'table',
    expectedChecks: ['reads are confirmed after they are asked for', 'R4 real time', 'linearizable reads are current', 'linearizable'],
    edits: [
      {
        file: 'raft/reads.ts',
        find: "  if (config.readOnly === 'leaseBased' && reads.leaseHolds(raft.tracker.confirmedRound(raft.id))) {",
        replace: "  if (raft.role === 'leader') {",
      },
    ],
  },
  {
    name: 'stale-read-index-answer',
    what: 'The answer to an earlier read is taken for the answer to the current one.',
    breaks: 'R4',
    profile: 'table',
    expectedChecks: ['reads are confirmed after they are asked for', 'R4 real time', 'linearizable reads are current', 'linearizable'],
    edits: [
      {
        file: 'replica/reads/read-index.ts',
        find: 'if (!round || !equalBytes(context, this.#context(round.number))) continue;',
        replace: 'if (!round || context.length !== 24) continue;',
      },
    ],
  },
  {
    name: 'apply-twice-after-failover',
    what: 'A proposal that was proposed again to the next leader is applied again.',
    breaks: 'S2',
    profile: 'table',
    edits: [
      {
        file: 'replica/kv/applied-ids.ts',
        find: "return isSet(window, id.sequence) ? 'duplicate' : 'new';",
        replace: "return 'new';",
      },
      {
        file: 'replica/kv/applied-ids.ts',
        find: 'assert(!isSet(window, id.sequence),',
        replace: 'assert(id.sequence >= 0,',
      },
    ],
  },
  {
    name: 'tree-op-from-a-follower',
    what: 'Every member shapes the tree: what a follower decides, as deposed leaders do, is forwarded to the leader.',
    breaks: 'S3',
    profile: 'table',
    expectedChecks: ['tree ops are not forwarded', 'only the leader shapes the tree'],
    edits: [
      {
        file: 'replica/state/leadership.ts',
        find: '    return this.#current.isLeader && this.#ownTermApplied && !this.#life.ended;',
        replace: '    return (this.#current.isLeader ? this.#ownTermApplied : this.leader !== 0) && !this.#life.ended;',
      },
      {
        file: 'replica/consensus/raft-driver.ts',
        find: '    if (!this.#hears || !this.#node.isLeader || (isChange && this.#node.isChangingConfig)) return false;',
        replace: '    if (!this.#hears || (isChange && this.#node.isChangingConfig)) return false;',
      },
    ],
  },
  {
    name: 'pre-vote-counts-as-vote',
    what: 'A candidate counts answers to its pre-vote that come late as votes.',
    breaks: 'R1',
    profile: 'full',
    expectedChecks: ['leaders are elected by a majority', 'one leader per term'],
    edits: [
      {
        file: 'raft/step-candidate.ts',
        find: "if (raft.role === 'preCandidate') handleVoteResponse(raft, message);",
        replace: 'handleVoteResponse(raft, message);',
      },
    ],
  },
  {
    name: 'entries-before-hard-state',
    what: 'Entries of a new term are written before the term is.',
    breaks: 'R2',
    profile: 'full',
    expectedChecks: ['promises are durable before they are sent', 'the log ends in a term that was promised'],
    edits: [
      {
        file: 'replica/consensus/write-queue.ts',
        find: '    if (term !== this.#durable.term || vote !== this.#durable.vote) await this.#promise(term, vote);\n',
        replace: '',
      },
      {
        file: 'replica/consensus/write-queue.ts',
        find: '    if (entries.length > 0) await this.#append(entries, commit);',
        replace: `    if (entries.length > 0) await this.#append(entries, commit);
    if (term !== this.#durable.term || vote !== this.#durable.vote) await this.#promise(term, vote);`,
      },
    ],
  },
  {
    name: 'commit-taken-late',
    what: 'A batch is written with the commit index of the moment at which its write begins, which may be that of a later log.',
    breaks: 'R3',
    profile: 'full',
    expectedChecks: ['the commit index is of the log that is written'],
    edits: [
      {
        file: 'replica/consensus/raft-driver.ts',
        find: 'this.#writes.add({ term, vote, snapshot, entries, commit, answers });',
        replace: `{
      const node = this.#node;
      this.#writes.add({ term, vote, snapshot, entries, get commit() { return Math.max(commit, node.commit); }, answers });
    }`,
      },
      {
        file: 'replica/consensus/write-queue.ts',
        find: '  async #write({ term, vote, snapshot, entries, commit }: Write): Promise<void> {',
        replace: '  async #write(write: Write): Promise<void> {\n    const { term, vote, snapshot, entries } = write;',
      },
      {
        file: 'replica/consensus/write-queue.ts',
        find: 'await this.#append(entries, commit);',
        replace: 'await this.#append(entries, write.commit);',
      },
    ],
  },
  {
    name: 'poison-entry',
    what: 'A member appends what it has not read, proposals that are forwarded to it and copies from its leader alike.',
    breaks: 'C1',
    profile: 'table',
    edits: [
      { file: 'replica/entry/received.ts', find: "  if (type === 'MsgProp') for", replace: "  if (type === 'MsgProp' && entries.length > 1e9) for" },
      { file: 'replica/entry/received.ts', find: "  if (type === 'MsgApp') for", replace: "  if (type === 'MsgApp' && entries.length > 1e9) for" },
    ],
  },
  {
    name: 'unverifiable-copy-skipped-alone',
    what: 'A member whose copy of an entry is not what its proposer made goes on without it.',
    breaks: 'C1',
    profile: 'table',
    edits: [
      { file: 'replica/entry/received.ts', find: "  if (type === 'MsgApp') for", replace: "  if (type === 'MsgApp' && entries.length > 1e9) for" },
      {
        file: 'replica/apply/entry-copies.ts',
        find: '    return readAgain(parts, index, messageOf(error));',
        replace: "    if (index > 1e12) return readAgain(parts, index, messageOf(error));\n    return { kind: 'cluster-version', version: 1 };",
      },
    ],
  },
  {
    name: 'read-joins-heartbeat-under-way',
    what: 'A read is confirmed by answers to a heartbeat that left before the read was asked for.',
    breaks: 'R4',
    profile: 'full',
    expectedChecks: ['reads are confirmed after they are asked for', 'linearizable reads are current'],
    edits: [{ file: 'raft/node.ts', find: '    raft.reads.closeRound();\n', replace: '' }],
  },
  {
    name: 'serves-from-flushed-state',
    what: 'A member serves the state as of the flushed index after a restart, of which its newer tables have dropped versions.',
    breaks: 'R4',
    profile: 'full',
    expectedChecks: ['nothing is served before the materialized index', 'what is served never goes back'],
    edits: [
      { file: 'replica/replica.ts', find: 'timeoutMs, tree.durable.last.index);', replace: 'timeoutMs, tree.durable.flushed.index);' },
    ],
  },
];
