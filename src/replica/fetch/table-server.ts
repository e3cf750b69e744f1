/**
 * The serving side of `table.regions`. Every payload that leaves was read and verified here against
 * this node's own digest chain, corrected by parity or patched if need be; a fault met on the way
 * goes to this node's own hints through the table store. Works without leader or quorum. It never
 * says "none" for bytes that may still come (an owed table) or be found (a block whose index is bad
 * here), because a majority of such answers would pass for data loss (D1).
 */

import type { Breather, Workers } from '../../base/env.js';
import { assert } from '../../base/assert.js';
import { codeOf } from '../../base/errors.js';
import { StorageError } from '../../storage/base/errors.js';
import { FILE_MISSING } from '../../storage/table/read-block.js';
import type { TableReader } from '../../storage/table/table-reader.js';
import type { TableStore } from '../../storage/table/table-store.js';
import { sameTable, type TableMeta, type TableName } from '../../storage/table/table-meta.js';
import type { ByteRate } from './byte-rate.js';
import {
  ANSWER_BYTES, decodeRegionsRequest, encodeRegionsAnswer, TABLE_REGIONS_METHOD,
  type Piece, type RegionsAnswer, type RegionsRequest,
} from './table-wire.js';

/** What a node holds. */
export interface HeldTables {
  readonly tables: TableStore;
  /**
   * Tables whose files should be here with exactly these bytes: in a live version, pinned, or kept
   * for another reason.
   */
  find(name: TableName): readonly TableMeta[];
  /** The table is in a version applied here, but its file is not here yet. */
  owed(name: TableName): boolean;
  /** What leads to the blocks of a file is bad here, as the read that failed says. */
  hides(meta: TableMeta, error: StorageError): void;
}

/** Answers made at a time; more are told to ask later. */
const SERVING_MAX = 8;

export function isTableCall(method: string): boolean {
  return method === TABLE_REGIONS_METHOD;
}

export class TableServer {
  readonly #workers: Workers;
  readonly #held: HeldTables;
  readonly #rate: ByteRate | undefined;
  /** Answers being made: 0 to SERVING_MAX. */
  #serving = 0;

  /**
   * `rate`: of what is asked for in bulk, that is for whole tables; a single block, for which a
   * read may wait, goes at once, and before the others.
   */
  constructor({ workers }: { readonly workers: Workers }, held: HeldTables, rate?: ByteRate) {
    this.#workers = workers;
    this.#held = held;
    this.#rate = rate;
  }

  /** A call whose method {@link isTableCall}. Rejects with CodecError for a damaged request. */
  async answer(request: Uint8Array): Promise<Uint8Array> {
    const asked = decodeRegionsRequest(request);
    if (this.#serving >= SERVING_MAX) return encodeRegionsAnswer({ kind: 'later' });
    this.#serving++;
    assert(this.#serving <= SERVING_MAX, `${this.#serving} answers are being made, at most ${SERVING_MAX}`);
    try {
      const isBulk = asked.bytes > 1;
      const answer = await answerRegions(isBulk ? (this.#workers.between ?? this.#workers) : this.#workers, this.#held, asked);
      if (isBulk && answer.kind === 'pieces') await this.#rate?.take(answer.pieces.reduce((sum, { payload }) => sum + (payload?.length ?? 0), 0));
      return encodeRegionsAnswer(answer);
    } finally {
      this.#serving--;
      assert(this.#serving >= 0 && this.#serving < SERVING_MAX, `${this.#serving} answers are being made`);
    }
  }
}

async function answerRegions(workers: Breather, held: HeldTables, asked: RegionsRequest): Promise<RegionsAnswer> {
  const metas = held.find(asked);
  assert(metas.every((meta) => sameTable(meta, asked)), 'S4 only files of those very bytes answer');
  let best: RegionsAnswer | undefined;
  let hidden = false;
  for (const meta of metas) {
    const answer = await readPieces(workers, held, meta, asked);
    if (answer === 'hidden') {
      hidden = true;
      continue;
    }
    if (answer.pieces.some((piece) => piece.payload !== undefined)) return answer;
    best ??= answer;
  }
  if (hidden || held.owed(asked)) return { kind: 'later' };
  return best ?? { kind: 'none' };
}

type Pieces = Extract<RegionsAnswer, { kind: 'pieces' }>;

/**
 * hidden: what leads to the block is bad here; once that is mended, which the attempt to read it
 * sets going, the block may be good.
 */
async function readPieces(workers: Breather, held: HeldTables, meta: TableMeta, asked: RegionsRequest): Promise<Pieces | 'hidden'> {
  const reader = held.tables.reader(meta);
  const offsets = regionOffsets(reader, held, asked);
  if (offsets === 'hidden') return 'hidden';
  const pieces: Piece[] = [];
  let bytes = 0;
  let next = asked.offset + asked.bytes;
  for (const offset of offsets) {
    const payload = readGood(reader, offset);
    if (pieces.length > 0 && bytes + (payload?.length ?? 0) > ANSWER_BYTES) {
      next = offset;
      break;
    }
    bytes += payload?.length ?? 0;
    assert(offset > (pieces.at(-1)?.offset ?? -1), `S4 pieces come in file order: ${offset}`);
    assert(offset >= asked.offset, `S4 what was asked for is served: ${offset} from ${asked.offset} on`);
    pieces.push({ offset, payload });
    const pause = workers.breathe();
    if (pause !== undefined) await pause;
  }
  assert(bytes <= ANSWER_BYTES || pieces.length === 1, `an answer of ${bytes} bytes`);
  return { kind: 'pieces', pieces, next };
}

/**
 * The layout is known only if footer and index are good. A footer is found without it, and so is
 * the index by a good footer.
 */
function regionOffsets(reader: TableReader, held: HeldTables, asked: RegionsRequest): number[] | 'hidden' {
  if (reader.isFooter(asked.offset)) return [asked.offset];
  try {
    const offsets: number[] = [];
    for (const region of reader.regions()) {
      if (region.offset >= asked.offset && (region.offset < asked.offset + asked.bytes || region.offset === asked.offset)) {
        offsets.push(region.offset);
      }
    }
    return offsets;
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    const { offset, why } = error.data;
    if (offset === asked.offset || why === FILE_MISSING) return [asked.offset];
    held.hides(reader.meta, error);
    return 'hidden';
  }
}

/**
 * Read twice before it counts as bad: an asker that hears so from every member tells its client
 * that the block is lost (D1).
 */
function readGood(reader: TableReader, offset: number): Uint8Array | undefined {
  return tryRead(reader, offset) ?? tryRead(reader, offset);
}

function tryRead(reader: TableReader, offset: number): Uint8Array | undefined {
  try {
    return reader.readPayload(offset);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}
