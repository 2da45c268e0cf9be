"""The api: takes events in, keeps the record of calls, answers questions, sends webhooks."""
