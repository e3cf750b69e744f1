#!/usr/bin/env node
// `npm run test:security`: what is held of who may do what, in one command. Each list is part of
// `npm test`, too, but for the half-open connections. Exit 1 when anything failed.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const HELP = `usage: npm run test:security [-- --only STEP ...]

steps:
  auth        every RPC for no token, a bad one, the wrong and the right user, and root, against a member; etcd's advisories;
              users, roles, passwords, tokens, locks, leases and watches of somebody else
  secrets     no password, hash, token or value in the logs of a cluster, whatever is done, refused or lost
  tls         wrong authority, expired, revoked, wrong name, plain text on a TLS port, on the client port and between members
  web         JSON, the host that is asked for, other origins; by whom requests are let in before they are read
  processes   TLS, revocation and JSON of real members (builds first)
  handshakes  2,000 half-open connections against each port, plain and over TLS, while the cluster serves; how long they
              and the puts beside them take is held by npm run drill:handshakes alone`;

const mocha = (...rest) => ['node_modules/.bin/mocha', '--exit', '--reporter', 'dot', ...rest];
const steps = {
  auth: mocha(
    'src/server/rpc/permission-matrix.test.ts', 'src/server/rpc/permissions.test.ts', 'src/server/rpc/auth-service.test.ts',
    'src/server/rpc/hashed-password.test.ts', 'src/server/rpc/concurrency.test.ts', 'src/server/testing/client-auth.test.ts',
    'src/server/auth/*.test.ts', 'src/replica/auth/*.test.ts', 'src/replica/watch/watch-permits.test.ts', 'src/node/testing/auth.test.ts',
  ),
  secrets: mocha('src/server/testing/secrets.test.ts'),
  tls: mocha(
    'src/server/tls/*.test.ts', 'src/server/rpc/certificate-users.test.ts', 'src/server/peer/peer-tls.test.ts',
    'src/server/peer/peer-door.test.ts', 'src/server/transport/handshakes.test.ts', 'src/server/transport/client-name.test.ts',
  ),
  web: mocha('src/server/web/*.test.ts', 'src/server/gateway/*.test.ts', 'src/server/transport/first-bytes.test.ts'),
  processes: mocha('--timeout', '180000', 'cluster-tests/tls.test.ts', 'cluster-tests/gateway.test.ts'),
  handshakes: ['npm', 'run', '--silent', 'drill:handshakes', '--', '--functional'],
};

const args = process.argv.slice(2);
const only = args.flatMap((arg, i) => (args[i - 1] === '--only' ? [arg] : []));
const wrong = args.find((arg, i) => arg !== '--only' && args[i - 1] !== '--only') ?? only.find((name) => !Object.hasOwn(steps, name));
if (wrong !== undefined || (args.includes('--only') && only.length === 0)) {
  console.log(HELP);
  process.exit(wrong === '--help' ? 0 : 2);
}
const failed = [];
for (const [name, command] of Object.entries(steps)) {
  if (only.length > 0 && !only.includes(name)) continue;
  const missing = command.filter((file) => file.endsWith('.test.ts') && !file.includes('*') && !existsSync(file));
  console.log(`\n== ${name}`);
  const { status } = spawnSync(command[0], command.slice(1), { stdio: 'inherit' });
  if (status !== 0 || missing.length > 0) failed.push([name, ...missing].join(' without '));
}
console.log(failed.length === 0 ? 'PASS' : `FAIL  ${failed.join(', ')}`);
process.exit(failed.length === 0 ? 0 : 1);
