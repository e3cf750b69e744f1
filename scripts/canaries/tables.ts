/** Canaries in the tree: the manifest, plans and edits, what is installed, which files may go. */

import type { Canary } from './canary.js';

export const TABLES: readonly Canary[] = [
  {
    name: 'compaction-reads-a-clock',
    what: 'The block size of a compaction depends on what the clock of the member says.',
    breaks: 'S2',
    profile: 'table',
    expectedChecks: ['all replicas produce the same'],
    edits: [
      {
        file: 'replica/tree/executor.ts',
        find: '    if (inputs) return produceCompaction(job.work.plan, inputs, context);',
        replace: '    const { format } = job.work.plan;\n' +
          '    const timed = { ...format, blockBytes: format.blockBytes + (Math.floor(this.#clock.now()) % 16) };\n' +
          '    if (inputs) return produceCompaction({ ...job.work.plan, format: timed }, inputs, context);',
      },
    ],
  },
  {
    name: 'edit-applied-twice',
    what: 'A restart applies the last edit that the manifest contains once more.',
    breaks: 'S1',
    profile: 'table',
    edits: [
      {
        file: 'replica/tree/tree-machine.ts',
        find: '    if (at.index <= tree.latest.last.index) {',
        replace: '    if (at.index < tree.latest.last.index) {',
      },
    ],
  },
  {
    name: 'delete-table-of-pending-plan',
    what: 'A heal edit takes away a table that is the input of a pending plan.',
    breaks: 'S5',
    profile: 'table',
    edits: [
      {
        file: 'storage/version/apply-tree-op.ts',
        find: '  if (manifest.isBusy(op.removed.id)) return refuse(manifest, `table ${op.removed.id} is busy`);\n',
        replace: '',
      },
      { file: 'healing/heal/heal-picker.ts', find: 'else if (!version.isBusy(heal.tableId) && (', replace: 'else if ((' },
      {
        file: 'healing/heal/heal-scheduler.ts',
        find: 'if (!context.leadership.mayShapeTree || !latest.has(meta.id) || latest.isBusy(meta.id)) {',
        replace: 'if (!context.leadership.mayShapeTree || !latest.has(meta.id)) {',
      },
    ],
  },
  {
    name: 'delete-inputs-of-owed-table',
    what: 'Files go as soon as the newest logical version does without them, although what replaces them is still owed.',
    breaks: 'S5',
    profile: 'table',
    expectedChecks: ['files of the durable manifest are there'],
    edits: [
      {
        file: 'storage/tree/tree.ts',
        find: '    return this.#set.names(id) || this.#versions.some((version) => version.manifest.has(id));',
        replace: '    return this.latest.has(id);',
      },
      // The store notices it too; what is to be shown is that the simulator does.
      { file: 'replica/tree/manifest-writer.ts', find: 'assert(!tree.durable.has(id) && !tree.materialized.has(id),', replace: 'assert(id > 0,' },
      { file: 'replica/tree/manifest-writer.ts', find: 'assert(lacking === undefined,', replace: 'assert(lacking?.id !== 0,' },
      { file: 'storage/version/version-set.ts', find: 'assert(this.#complete(manifest),', replace: 'assert(manifest.last.index > 0,' },
    ],
  },
  {
    name: 'skip-dir-fsync',
    what: 'The name of a table is not made durable before the manifest counts on it.',
    breaks: 'S5',
    profile: 'table',
    expectedChecks: ['names are durable before the manifest is', 'files of the durable manifest are there'],
    edits: [
      {
        file: 'replica/tree/materializer.ts',
        find: "    await env.disk.syncDir('tables');\n    this.#named.delete(table.id);",
        replace: '    this.#named.delete(table.id);',
      },
    ],
  },
  {
    name: 'forget-gc-revision-on-one-replica',
    what: 'A member that restarts forgets the compact revision.',
    breaks: 'S2',
    profile: 'table',
    expectedChecks: ['all replicas produce the same'],
    edits: [{ file: 'replica/kv/kv-machine.ts', find: '    this.#compacted = compacted;', replace: '    this.#compacted = -1;' }],
  },
  {
    name: 'gc-drops-one-too-many',
    what: 'A compaction drops what can still be read at the compact revision itself.',
    breaks: 'S2',
    profile: 'table',
    edits: [
      {
        file: 'storage/compaction/mvcc-gc.ts',
        find: 'entry.revision > this.#rules.gcRevision) {',
        replace: 'entry.revision > this.#rules.gcRevision + 1) {',
      },
    ],
  },
  {
    name: 'half-an-entry-visible',
    what: 'Changes of a large entry are visible as soon as they are in the memtable.',
    breaks: 'S2',
    profile: 'table',
    edits: [
      {
        file: 'storage/tree/tree.ts',
        find: 'this.#staging ? this.#sequence : Number.MAX_SAFE_INTEGER',
        replace: 'this.#sequence < 0 ? this.#sequence : Number.MAX_SAFE_INTEGER',
      },
      {
        file: 'storage/tree/tree.ts',
        find: 'new TreeView(this.#state, this.#sequence, version)',
        replace: 'new TreeView(this.#state, this.#sequence + 1, version)',
      },
      {
        file: 'replica/kv/publication.ts',
        find: '    this.#staging = true;\n    for',
        replace: '    this.#staging = true;\n    this.#moved(changes.revision, undefined);\n    for',
      },
      {
        file: 'replica/kv/publication.ts',
        find: '    this.#staging = false;\n    if (changes.size > 0) this.#moved(changes.revision, few);',
        replace: '    this.#staging = false;',
      },
    ],
  },
  {
    name: 'install-unconfirmed-digest',
    what: "A bit flips in one member's memory now and then while it flushes, and what a single member reports is installed.",
    breaks: 'S6',
    profile: 'table',
    edits: [
      {
        file: 'replica/tree/tree-machine.ts',
        find: '    const executor = new Executor({',
        replace: '    const { self, voters } = parts.membership;\n    Object.assign(parts.tables, { flips: voters.indexOf(self) === 1 });\n' +
          '    const executor = new Executor({',
      },
      {
        file: 'storage/compaction/produce.ts',
        find: '      if (!entries.next()) return false;\n      out.add(slot);',
        replace: '      if (!entries.next()) return false;\n      const { value, valueAt, valueEnd } = slot;\n' +
          '      const struck = slot.userSpace && valueEnd - valueAt > 16 && slot.revision % 16 === seal.index % 16;\n' +
          "      if (struck && Reflect.get(context.tables, 'flips') === true) {\n" +
          '        slot.value = value.slice(0, valueEnd);\n' +
          '        slot.value[valueEnd - 1] = (value[valueEnd - 1] ?? 0) ^ 1;\n      }\n      out.add(slot);',
      },
      {
        file: 'replica/tree/agreement.ts',
        find: '      if (!this.#membership.isQuorum(new Set(nodes))) continue;',
        replace: '      if (nodes.length < 1) continue;',
      },
      // The member whose memory fails would be named: what is to be found is that its bytes are
      // installed.
      {
        file: 'replica/tree/planner.ts',
        find: "        if (verdict.dissenters.length > 0) env.events.emit({ type: 'digest-disagreed', plan: sequence, nodes: verdict.dissenters });\n",
        replace: '',
      },
    ],
  },
  {
    name: 'manifest-not-chained',
    what: 'A sound manifest record is believed whatever record it follows.',
    breaks: 'S4',
    profile: 'table',
    edits: [
      {
        file: 'storage/version/manifest-record.ts',
        find: 'if (frame === undefined || frame.record !== place.record || frame.generation !== place.generation || frame.chain !== place.chain) {',
        replace: 'if (frame === undefined || frame.generation !== place.generation) {',
      },
      {
        file: 'storage/version/manifest-record.ts',
        find: 'return said?.generation === generation && said.record === record && said.chain === chain;',
        replace: 'return said?.generation === generation && record >= 0 && chain !== undefined;',
      },
    ],
  },
  {
    name: 'reader-does-not-pin',
    what: 'Files of a version go while a reader is still at it.',
    breaks: 'S5',
    profile: 'table',
    expectedChecks: ['files under a reader stay'],
    edits: [
      {
        file: 'storage/tree/tree.ts',
        find: '    return this.#set.names(id) || this.#versions.some((version) => version.manifest.has(id));',
        replace: '    return this.#set.names(id);',
      },
    ],
  },
  {
    name: 'new-manifest-without-dir-fsync',
    what: 'Hard state names a new manifest whose own name would not survive a power loss.',
    breaks: 'S5',
    profile: 'table',
    expectedChecks: ['the durable version is kept'],
    edits: [{ file: 'storage/version/manifest-store.ts', find: '        await this.#options.disk.syncDir(MANIFEST_DIR);\n', replace: '' }],
  },
];
