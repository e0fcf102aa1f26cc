/**
 * What is taken of mockttp: as wholes, since of a single name that is gone, no test could tell. The build puts it into a
 * folder of its own.
 */
export * as matchers from 'mockttp/dist/rules/matchers';
export * as webSocketSteps from 'mockttp/dist/rules/websockets/websocket-step-definitions';
export * as serving from 'mockttp/dist/server/mockttp-server';
export * as certificates from 'mockttp/dist/util/certificates';
export * as extensions from 'mockttp/dist/util/socket-extensions';
