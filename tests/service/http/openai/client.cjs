// What OpenAI's client for Node sees of the service, as one JSON object.
const OpenAI = require("openai");

async function main(baseURL) {
  const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
  const question = { model: "helpdesk", messages: [{ role: "user", content: "How long can I return boots?" }] };
  const models = [];
  for await (const model of client.models.list()) models.push(model.id);
  const whole = await client.chat.completions.create(question);
  const stream = client.chat.completions.stream({ ...question, stream_options: { include_usage: true } });
  let streamed = "";
  stream.on("content", (piece) => (streamed += piece));
  const final = await stream.finalChatCompletion();
  const error = await client.chat.completions.create({ ...question, model: "none" }).catch((error) => error);
  return {
    models,
    whole: whole.choices[0].message,
    streamed,
    usage: [whole.usage.total_tokens, final.usage.total_tokens],
    reason: final.choices[0].finish_reason,
    error: [error instanceof OpenAI.NotFoundError, error.code],
  };
}

main(process.argv[2]).then((seen) => console.log(JSON.stringify(seen)));
