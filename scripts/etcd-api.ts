/**
 * `npm run compat:api`: the names and numbers of etcd's API, out of the `.proto` files of its Go
 * modules, as the data file that our own are held against.
 */

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { apiLines } from '../src/server/rpc/testing/api-lines.js';
import { flags, runMain, UsageError } from './lib/command.js';
import { say } from './lib/print.js';

const HELP = `
usage: npm run compat:api -- FOLDER VERSION

Writes src/server/rpc/testdata/etcd-api.txt. FOLDER has etcd's modules, as Go has downloaded them
(go mod download go.etcd.io/etcd/server/v3@v3.7.3, which needs the one of api/v3, too).

  npm run compat:api -- "$(go env GOMODCACHE)/go.etcd.io/etcd" 3.7.3
`;
const OUT = fileURLToPath(new URL('../src/server/rpc/testdata/etcd-api.txt', import.meta.url));

await runMain(HELP, async () => {
  const [folder, version] = flags({}).positionals;
  if (folder === undefined || version === undefined) throw new UsageError('a folder and a version are wanted');
  const api = join(folder, `api/v3@v${version}`);
  const server = join(folder, `server/v3@v${version}/etcdserver/api`);
  if (!existsSync(api) || !existsSync(server)) throw new UsageError(`${api} and ${server} are wanted`);
  const files = [
    `${api}/etcdserverpb/rpc.proto`, `${server}/v3lock/v3lockpb/v3lock.proto`, `${server}/v3election/v3electionpb/v3election.proto`,
  ];
  // What only annotates is in files of its own, and says nothing of the wire.
  const lines = apiLines(files, (name) => {
    const path = existsSync(name) ? name : name.replace(/^etcd\/api\//, `${api}/`);
    return existsSync(path) && !path.includes('/versionpb/') ? path : null;
  });
  writeFileSync(OUT, `# etcd ${version}: names, numbers and types of its API. Written by npm run compat:api.\n${lines.join('\n')}\n`);
  say(`${OUT}: ${lines.length} lines`);
  return 0;
});
