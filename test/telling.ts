/** An addon that says how each flow ends: `flow /path response 200 1.1`, or `flow /path error upstream ECONNREFUSED`. */
export const TELL = `
  const tell = (name) => (flow, ctx) => ctx.log.info('flow ' + flow.request.path + ' ' + name + ' ' +
    (flow.error ? flow.error.by + ' ' + flow.error.code : flow.response.status + ' ' + flow.response.httpVersion));
  export const response = tell('response');
  export const error = tell('error');
`;
