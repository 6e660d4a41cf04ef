"""Great Expectations: suites, the engine that runs them, the gate. Nobody else imports it."""
