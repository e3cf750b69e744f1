/**
 * A disk that fails, for a real process whose program is as it was built: loaded before it
 * (`node --import bad-disk.mjs?faults=FILE`), this stands between `node:fs` and the operating
 * system, and answers some calls as a bad, a slow or a full disk does. It keeps nothing back and
 * changes no bytes: a call either goes to the system as it is, now or later, or has failed.
 *
 * Which do is read from FILE before each call (`bad-disk.ts` writes it, and says what its fields
 * mean). Only files whose path a fault names are looked at; no other file is slower than before by
 * more than that look. Plain JavaScript: it runs in the process of the member. What reads and
 * writes files there is in its main thread (`src/server/node-disk.ts`).
 */

import fs from 'node:fs';
import { constants } from 'node:os';

const POLL_MS = 20;
const { O_WRONLY, O_RDWR } = fs.constants;
const own = { ...fs };
const ownPromises = { ...fs.promises };

const file = new URL(import.meta.url).searchParams.get('faults');
/** By number: how often it has struck in this process. */
const struck = new Map();
const paths = new Map();
let seen = '';
let known = [];

function faults() {
  const stat = own.statSync(file, { bigint: true, throwIfNoEntry: false });
  const stamp = stat === undefined ? '' : `${stat.ino} ${stat.mtimeNs} ${stat.size}`;
  if (stamp !== seen) {
    known = stamp === '' ? [] : JSON.parse(own.readFileSync(file, 'utf8')).map((fault) => ({ ...fault, path: new RegExp(fault.path) }));
    seen = stamp;
  }
  return known;
}

function sizeOf(fd) {
  return own.fstatSync(fd).size;
}

/** Undefined: it goes to the system as it is. `at`: what else is known of the call. */
function fault(call, path, at = {}) {
  for (const one of faults()) {
    if (one.call !== call || !one.path.test(path)) continue;
    if (one.toWrite && !at.toWrite) continue;
    if (one.grows && !(at.end > sizeOf(at.fd))) continue;
    if (one.from !== undefined && !(at.end > one.from && at.start < one.to)) continue;
    const times = (struck.get(one.number) ?? 0) + 1;
    if (one.times !== undefined && times > one.times) continue;
    struck.set(one.number, times);
    return one;
  }
  return undefined;
}

function failed({ errno }, call, path) {
  const error = new Error(`${errno}: a disk that is bad on purpose, ${call} '${path}'`);
  return Object.assign(error, { errno: -constants.errno[errno], code: errno, syscall: call });
}

/** `go` gets what the call failed with, or undefined when it is its time. */
function meet(one, call, path, go) {
  if (one === undefined) return go(undefined);
  if (one.errno !== undefined) return void process.nextTick(go, failed(one, call, path));
  const until = Date.now() + (one.delayMs ?? Infinity);
  const wait = () => {
    const isOver = Date.now() >= until || !faults().some(({ number }) => number === one.number);
    if (isOver) go(undefined);
    else setTimeout(wait, Math.min(POLL_MS, until - Date.now()));
  };
  wait();
}

/** A call that returns at once fails, or goes on: it is never late. */
function meetSync(one, call, path) {
  if (one?.errno !== undefined) throw failed(one, call, path);
}

const writes = (flags) => typeof flags === 'number' && (flags & (O_WRONLY | O_RDWR)) !== 0;
const range = (fd, offset, length) => ({ fd, start: offset, end: offset + length });

fs.openSync = (path, flags, ...rest) => {
  meetSync(fault('open', path, { toWrite: writes(flags) }), 'open', path);
  const fd = own.openSync(path, flags, ...rest);
  paths.set(fd, String(path));
  return fd;
};

fs.open = (path, flags, mode, done) => {
  meet(fault('open', path, { toWrite: writes(flags) }), 'open', path, (error) => {
    if (error !== undefined) return done(error);
    own.open(path, flags, mode, (failure, fd) => {
      if (failure === null) paths.set(fd, String(path));
      done(failure, fd);
    });
  });
};

fs.closeSync = (fd) => {
  paths.delete(fd);
  own.closeSync(fd);
};

for (const [name, call] of [['readSync', 'read'], ['writeSync', 'write']]) {
  fs[name] = (...args) => {
    const [fd, , , length, offset] = args;
    const path = paths.get(fd);
    if (path !== undefined) meetSync(fault(call, path, range(fd, offset, length)), call, path);
    return own[name](...args);
  };
}

for (const call of ['read', 'write']) {
  fs[call] = (...args) => {
    const [fd, , , length, offset, done] = args;
    const path = paths.get(fd);
    if (path === undefined) return own[call](...args);
    meet(fault(call, path, range(fd, offset, length)), call, path, (error) => (error === undefined ? own[call](...args) : done(error)));
  };
}

fs.fdatasync = (fd, done) => {
  const path = paths.get(fd);
  const go = (error) => (error === undefined ? own.fdatasync(fd, done) : done(error));
  if (path === undefined) go(undefined);
  else meet(fault('sync', path), 'fdatasync', path, go);
};

/** Of directories, and of reads past the caches. */
fs.promises.open = async (path, flags, ...rest) => {
  await new Promise((resolve, reject) => meet(fault('open', path, { toWrite: writes(flags) }), 'open', path, (error) => (error ? reject(error) : resolve())));
  const handle = await ownPromises.open(path, flags, ...rest);
  const [sync, read] = [handle.sync.bind(handle), handle.read.bind(handle)];
  const first = (one, call) => new Promise((resolve, reject) => meet(one, call, path, (error) => (error ? reject(error) : resolve())));
  handle.sync = async () => {
    await first(fault('sync', path), 'fsync');
    return sync();
  };
  handle.read = async (bytes, from, length, offset) => {
    await first(fault('read', path, range(handle.fd, offset, length)), 'read');
    return read(bytes, from, length, offset);
  };
  return handle;
};
