/**
 * Keyv's own test suite over the store for Keyv, as its documentation has it, and its tests of
 * iterators. `KINTSUGI_DIST`: what was built; `KINTSUGI_ENDPOINTS`: of a cluster that is its own.
 */

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite';
import { Keyv } from 'keyv';
import * as test from 'vitest';

const { KINTSUGI_DIST = '', KINTSUGI_ENDPOINTS = '' } = process.env;
const load = (path) => import(pathToFileURL(join(KINTSUGI_DIST, path)).href);
const { connect } = await load('client/client.js');
const { KeyvKintsugi } = await load('drivers/keyv.js');
const client = connect({ endpoints: KINTSUGI_ENDPOINTS.split(',') });

test.afterAll(() => client.close());

const store = () => new KeyvKintsugi({ client });
keyvTestSuite(test, Keyv, store);
keyvIteratorTests(test, Keyv, store);
