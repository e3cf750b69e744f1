/**
 * Real data that every clone has: the text files under `node_modules`, and a store filled with them
 * through gRPC.
 */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ROOT } from './binary.js';
import type { Endpoint} from './load/grpc.js';
import { METHODS } from './load/grpc.js';
import { putRequest, rangeReply, rangeRequest } from './load/wire.js';

export interface Document {
  readonly key: string;
  readonly path: string;
  readonly bytes: number;
}

const LARGEST = 1024 * 1024;
const TEXT = /\.(?:[cm]?[jt]sx?|json|md|txt|map|ya?ml|proto|css|html)$|(?:LICENSE|README|CHANGELOG)$/i;

/** Up to `most` documents and `mostBytes`, in the order of their paths. */
export function findDocuments(most: number, mostBytes: number): Document[] {
  const out: Document[] = [];
  let total = 0;
  const walk = (dir: string): void => {
    for (const entry of readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (out.length >= most || total >= mostBytes) return;
      const path = join(dir, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile() && TEXT.test(entry.name)) {
        const { size } = statSync(path);
        if (size === 0 || size > LARGEST) continue;
        total += size;
        out.push({ key: relative(ROOT, path), path, bytes: size });
      }
    }
  };
  walk(join(ROOT, 'node_modules'));
  return out;
}

/** Runs `work` over all items, `width` at a time. */
export async function forAll<T>(items: readonly T[], width: number, work: (item: T, lane: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (n: number): Promise<void> => {
    while (next < items.length) await work(items[next++] as T, n);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, (_, n) => lane(n)));
}

const WIDTH = 32;

export async function loadDocuments(
  endpoints: readonly Endpoint[],
  documents: readonly Document[],
  onProgress: (done: number, bytes: number) => void,
): Promise<void> {
  let done = 0;
  let bytes = 0;
  await forAll(documents, WIDTH, async (document, lane) => {
    const endpoint = endpoints[lane % endpoints.length] as Endpoint;
    await putPatiently(endpoint, document.key, readFileSync(document.path));
    bytes += document.bytes;
    onProgress(++done, bytes);
  });
}

const RETRIES = 200;
const BUSY = /too many requests/;

/** A server under pressure says so; it is asked again. */
export async function putPatiently(endpoint: Endpoint, key: string, value: Uint8Array): Promise<void> {
  for (let tried = 0; ; tried++) {
    try {
      await endpoint.unary(METHODS.put, putRequest(Buffer.from(key), value), 30_000);
      return;
    } catch (error) {
      if (tried >= RETRIES || !BUSY.test(String(error))) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}

export interface DocumentCheck {
  readonly right: number;
  readonly wrong: number;
  readonly missing: number;
  readonly errors: number;
  readonly firstFault: string;
}

/** Reads documents through one node and holds them against the files. */
export async function checkDocuments(endpoint: Endpoint, documents: readonly Document[], serializable: boolean): Promise<DocumentCheck> {
  let [right, wrong, missing, errors] = [0, 0, 0, 0];
  let firstFault = '';
  await forAll(documents, WIDTH, async ({ key, path }) => {
    try {
      const request = rangeRequest({ key: Buffer.from(key), serializable });
      const kv = rangeReply(await endpoint.unary(METHODS.range, request, 30_000)).kvs[0];
      if (kv === undefined) missing++;
      else if (!kv.value.equals(readFileSync(path))) wrong++;
      else {
        right++;
        return;
      }
      firstFault ||= `${key} is ${kv === undefined ? 'missing' : 'wrong'}`;
    } catch (error) {
      errors++;
      firstFault ||= `${key}: ${String(error)}`;
    }
  });
  return { right, wrong, missing, errors, firstFault };
}
