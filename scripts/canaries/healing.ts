/**
 * Canaries in blocks and healing: what is believed of bytes, and how long a fault is remembered.
 */

import type { Canary } from './canary.js';

export const HEALING: readonly Canary[] = [
  {
    name: 'trust-block-checksum-for-stale',
    what: 'A block whose own header and checksum agree is believed, although its referrer names other bytes.',
    breaks: 'S4',
    profile: 'table',
    expectedChecks: ['a corrected read of rot leaves a hint', 'all replicas produce the same'],
    edits: [
      {
        file: 'storage/block/block-codec.ts',
        find: "import { writeHeaders } from './header.js';",
        replace: "import { readHeader, writeHeaders } from './header.js';",
      },
      {
        file: 'storage/block/block-codec.ts',
        find: '  return correctBlock(region, layout, spec,',
        replace: '  const own = readHeader(region, 0);\n' +
          "  if (own !== undefined && typeof spec.digest !== 'string') {\n" +
          '    const payload = region.subarray(layout.headerBytes, layout.headerBytes + own.payloadBytes);\n' +
          "    if (payload.length === own.payloadBytes && verifyPayload(payload, own.digest)) return { kind: 'clean', payload };\n" +
          '  }\n  return correctBlock(region, layout, spec,',
      },
      // The store notices it too; what is to be shown is that the simulator does.
      { file: 'storage/table/read-block.ts', find: 'assert(stored.payload.length === spec.payloadBytes,', replace: 'assert(stored.payload.length >= 0,' },
      { file: 'storage/table/rebuild-table.ts', find: 'assert(payload?.length === region.spec.payloadBytes,', replace: 'assert(payload,' },
      { file: 'storage/table/table-image.ts', find: 'assert(made.region.length === region.length,', replace: 'assert(made.region.length > 0,' },
      {
        file: 'storage/table/table-image.ts',
        find: "assert(typeof digest === 'string' || made.digest === digest,",
        replace: "assert(typeof digest === 'string' || made.digest !== undefined,",
      },
    ],
  },
  {
    name: 'reencode-parity-from-unverified',
    what: 'A copy of a table takes a block that cannot be read as it lies there, gives it fresh parity, and is not held against the digest.',
    breaks: 'H3',
    profile: 'table',
    expectedChecks: ['a heal is proposed by who has the table', 'materialized tables are as they were born'],
    edits: [
      {
        file: 'storage/table/rebuild-table.ts',
        find: "import { decodeBlock } from '../block/block-codec.js';",
        replace: "import { decodeBlock } from '../block/block-codec.js';\nimport { blockLayout } from '../block/layout.js';",
      },
      {
        file: 'storage/table/rebuild-table.ts',
        find: "        let payload = decoded.kind === 'unreadable' ? undefined : decoded.payload;",
        replace: '        const from = at + blockLayout(region.spec.payloadBytes, region.spec.scheme).headerBytes;\n' +
          '        const raw = at + region.length > window.present ? undefined : window.bytes.slice(from, from + region.spec.payloadBytes);\n' +
          "        let payload = decoded.kind === 'unreadable' ? raw : decoded.payload;",
      },
      {
        file: 'storage/table/rebuild-table.ts',
        find: "        if (decoded.kind === 'unreadable') {",
        replace: "        if (decoded.kind === 'unreadable' && !payload) {",
      },
      {
        file: 'storage/table/table-image.ts',
        find: "assert(typeof digest === 'string' || made.digest === digest,",
        replace: "assert(typeof digest === 'string' || made.digest !== undefined,",
      },
      { file: 'storage/table/rebuild-table.ts', find: '  if (made !== meta.fileDigest) {', replace: '  if (made.length !== meta.fileDigest.length) {' },
      {
        file: 'replica/fetch/table-fetcher.ts',
        find: '    if (proof.pristine) return;',
        replace: "    if (proof.faults.every((fault) => fault.kind !== 'missing')) return;",
      },
    ],
  },
  {
    name: 'heal-from-unverified-peer',
    what: 'A peer sends a block that it could not verify, and the bytes are used without being held against the digest.',
    breaks: 'S4',
    profile: 'table',
    expectedChecks: ['no stop without a fault that excuses it: CODEC'],
    edits: [
      {
        file: 'replica/fetch/table-server.ts',
        find: '    const payload = readGood(reader, offset);',
        replace: '    const payload = readGood(reader, offset) ?? readRaw(reader, offset);',
      },
      {
        file: 'replica/fetch/table-server.ts',
        find: 'function readGood(',
        replace: 'function readRaw(reader: TableReader, offset: number): Uint8Array | undefined {\n' +
          '  try {\n' +
          '    const region = reader.specAt(offset);\n' +
          '    if (region === undefined) return undefined;\n' +
          '    const { payloadBytes, scheme } = region.spec;\n' +
          '    const raw = new Uint8Array(payloadBytes);\n' +
          "    const file = reader.disk.openSync(reader.path, 'read');\n" +
          '    file.readSync(raw, offset + blockLayout(payloadBytes, scheme).headerBytes);\n' +
          '    file.close();\n' +
          '    return raw;\n' +
          '  } catch (error) {\n' +
          '    if (codeOf(error) === undefined) throw error;\n' +
          '    return undefined;\n' +
          '  }\n}\n\nfunction readGood(',
      },
      {
        file: 'replica/fetch/table-server.ts',
        find: "import { sameTable, type TableMeta, type TableName } from '../../storage/table/table-meta.js';",
        replace: "import { blockLayout } from '../../storage/block/layout.js';\nimport { sameTable, type TableMeta, type TableName } from '../../storage/table/table-meta.js';",
      },
      {
        file: 'storage/table/table-reader.ts',
        find: '  get cachedFile(): CachedFile {',
        replace: '  get disk(): Disk {\n    return this.#context.disk;\n  }\n\n  get cachedFile(): CachedFile {',
      },
      {
        file: 'replica/fetch/table-fetcher.ts',
        find: '    if (!payloadMatches(payload, block.digest)) return',
        replace: '    if (payload.length > 4 * 1024 * 1024) return',
      },
      // The store notices it too; what is to be shown is that the simulator does.
      {
        file: 'healing/repair/repairer.ts', find: 'assert(payloadMatches(outcome.payload, block.digest),',
        replace: 'assert(outcome.payload.length >= 0,',
      },
      {
        file: 'storage/table/read-block.ts',
        find: '  return payload?.length === spec.payloadBytes && verifyPayload(payload, spec.digest) ? payload : undefined;',
        replace: '  return payload?.length === spec.payloadBytes ? payload : undefined;',
      },
    ],
  },
  {
    name: 'hint-lost-when-leader-dies',
    what: 'A hint that one leader has acknowledged is not sent to the next; heals that take ten seconds make it common that one dies meanwhile.',
    breaks: 'H2',
    profile: 'table',
    expectedChecks: ['hints reach the leader', 'a healed cluster comes to rest'],
    edits: [
      {
        file: 'healing/hints/hint-forwarder.ts',
        find: '    this.#round = undefined;\n    this.#acked = new Set();',
        replace: '    this.#round = undefined;',
      },
      {
        file: 'healing/hints/hint-forwarder.ts',
        find: '    const open = hints.all();',
        replace: '    const open = hints.all().filter((hint) => !this.#acked.has(hint.tableId));',
      },
      {
        file: 'healing/heal/heal-scheduler.ts',
        find: "import type { Env, Timer } from '../../base/env.js';",
        replace: "import { sleep, type Env, type Timer } from '../../base/env.js';",
      },
      {
        file: 'healing/heal/heal-scheduler.ts',
        find: '      const produced = await this.#produce(meta);',
        replace: '      await sleep(this.#parts.env.clock, 10_000);\n      const produced = await this.#produce(meta);',
      },
    ],
  },
  {
    name: 'hints-not-durable',
    what: 'A hint is kept in memory alone: a restart of its node forgets the fault.',
    breaks: 'H2',
    profile: 'table',
    expectedChecks: ['hints are never lost'],
    edits: [
      {
        file: 'healing/hints/hint-store.ts',
        find: '      await replaceFile(disk, HINTS_PATH,',
        replace: '      if (this.#open.size === 0) await replaceFile(disk, HINTS_PATH,',
      },
    ],
  },
  {
    name: 'relink-hides-rot',
    what: 'A heal keeps the bytes of a member that reads them right through its page cache, whatever lies on the disk.',
    breaks: 'H5',
    profile: 'table',
    expectedChecks: ['materialized tables are as they were born'],
    edits: [
      {
        file: 'healing/heal/materialize-heal.ts',
        find: "import type { VerifyReport } from '../../storage/table/verify-table.js';",
        replace: "import { verifyTable, type VerifyReport } from '../../storage/table/verify-table.js';",
      },
      {
        file: 'healing/heal/materialize-heal.ts',
        find: 'async function cleanFile({ env, copies }: HealFiles,',
        replace: 'async function cleanFile({ env }: HealFiles,',
      },
      {
        file: 'healing/heal/materialize-heal.ts',
        find: '    const proof = await copies.verify(meta, path);',
        replace: '    const proof = await verifyTable(env.disk, path, meta, { readDirect: false });',
      },
    ],
  },
  {
    name: 'scrub-ignores-parity-rot',
    what: 'A scrub looks at payloads only: rot in parity stays until parity is needed.',
    breaks: 'H1',
    profile: 'table',
    expectedChecks: ['materialized tables are as they were born'],
    edits: [
      {
        file: 'storage/table/verify-table.ts',
        find: "      return equalBytes(stored, fresh) ? undefined : fault('parity', 'bytes beside the payload differ');",
        replace: "      return stored.length === fresh.length ? undefined : fault('parity', 'bytes beside the payload differ');",
      },
      {
        file: 'storage/table/verify-table.ts',
        find: '    if (faults.length === 0 && digest.digest() !== meta.fileDigest) {',
        replace: '    if (faults.length === 0 && digest.length < meta.bytes) {',
      },
    ],
  },
  {
    name: 'parity-never-used',
    what: 'A block with damage that its parity could correct counts as unreadable.',
    breaks: 'D1',
    profile: 'table',
    expectedChecks: ['what parity can restore is read'],
    edits: [
      {
        file: 'storage/block/correct-block.ts',
        find: '  const { codec, shardBytes, shards } = layout;\n',
        replace: `  if (layout.codec.erasures >= 0) return { kind: 'unreadable', why: 'not corrected' };
  const { codec, shardBytes, shards } = layout;
`,
      },
    ],
  },
  {
    name: 'repairs-in-memory-only',
    what: 'A block that a peer gave is not kept on the disk.',
    breaks: 'H5',
    profile: 'table',
    expectedChecks: ['repairs are kept until the fault is gone'],
    edits: [
      {
        file: 'healing/repair/repair-store.ts',
        find: '    if (this.#stored.has(key) || this.#diskBytes + bytes.length > this.#maxDiskBytes) return;',
        replace: '    if (this.#stored.size >= 0) return;',
      },
    ],
  },
];
