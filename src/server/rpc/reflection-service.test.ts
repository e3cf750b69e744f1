import assert from 'node:assert/strict';
import { CodecError } from '../../base/errors.js';
import type { RequestStreamMethod, Method } from '../../grpc/method.js';
import { addReflection } from './reflection-service.js';

/** Field numbers of ServerReflectionRequest. */
const FILE_BY_NAME = 3;
const FILE_OF_SYMBOL = 4;
const LIST_SERVICES = 7;

const request = (field: number, text: string): Buffer => Buffer.from([(field << 3) | 2, text.length, ...Buffer.from(text)]);

describe('reflection', () => {
  const table = new Map<string, Method>();
  addReflection(table);

  async function ask(version: string, ...requests: readonly Buffer[]): Promise<string[]> {
    const method = table.get(`/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`) as RequestStreamMethod;
    const answers: string[] = [];
    const out = {
      cancelled: false,
      onCancel: () => undefined,
      write: (bytes: Uint8Array) => Promise.resolve(void answers.push(Buffer.from(bytes).toString('latin1'))),
    };
    const none = () => undefined;
    const call = { ...out, metadata: none, metadataBytes: none, clientCommonName: undefined, caller: undefined, deadline: undefined };
    await method.handle((async function* () {
      yield* requests;
    })(), out, call);
    return answers;
  }

  for (const version of ['v1', 'v1alpha']) {
    it(`${version} answers each request in its turn`, async () => {
      const [list, file, none] = await ask(version, request(LIST_SERVICES, '*'), request(FILE_OF_SYMBOL, 'etcdserverpb.KV.Range'),
        request(FILE_BY_NAME, 'none.proto'));
      for (const name of ['etcdserverpb.KV', 'etcdserverpb.Watch', 'kintsugi.v1.Heal', 'grpc.health.v1.Health']) assert.ok(list?.includes(name), name);
      for (const name of ['RangeRequest', 'mvccpb']) assert.ok(file?.includes(name), name);
      assert.ok(none?.includes('Proto file not found: none.proto'));
    });
  }

  it('a request that does not parse is a CodecError', async () => {
    await assert.rejects(ask('v1', Buffer.from([0x0f])), CodecError);
  });
});
