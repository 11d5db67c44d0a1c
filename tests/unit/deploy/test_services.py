"""What our own processes are told by the local stack."""

from deploy.local.services import EngineChoice, Surroundings, engine_part, service_part


def _surroundings(engine: EngineChoice) -> Surroundings:
    return Surroundings(
        url="http://127.0.0.1:20001",
        gateway_port=20001,
        database_url="postgresql://precis:hidden@127.0.0.1:20002/precis",
        redis_url="redis://:hidden@127.0.0.1:20003/0",
        kafka={"PRECIS_KAFKA_BOOTSTRAP": "127.0.0.1:20004"},
        smtp_port=20005,
        realtime_engine_url="http://127.0.0.1:20006",
        batch_engine_url="http://127.0.0.1:20007",
        engine=engine,
        master_key="hidden",
        key_pepper="hidden",
    )


def test_only_this_machine_is_opened_to_webhooks() -> None:
    told = _surroundings(EngineChoice()).environment()
    assert told["PRECIS_WEBHOOK_ALLOW_NETWORKS"] == "127.0.0.1/32"


def test_what_was_not_chosen_of_an_engine_is_not_told() -> None:
    told = _surroundings(EngineChoice(context=8192)).environment()
    assert told["PRECIS_ENGINE_CONTEXT"] == "8192"
    assert not {"PRECIS_ENGINE_MODEL", "PRECIS_ENGINE_API_KEY"} & set(told)


def test_secrets_do_not_show_when_printed() -> None:
    surroundings = _surroundings(EngineChoice(api_key="hidden"))
    part = service_part("gateway", environment=surroundings.environment(), port=20001)
    assert "hidden" not in repr(surroundings)
    assert "hidden" not in repr(part)


def test_no_secret_stands_among_the_arguments() -> None:
    surroundings = _surroundings(EngineChoice())
    part = service_part("worker", environment=surroundings.environment(), port=20008)
    assert not [each for each in part.command.argv if "hidden" in each]
    assert part.command.environment["PRECIS_HEALTH_PORT"] == "20008"


def test_engines_get_no_secrets() -> None:
    assert engine_part("engine-batch", port=20007).command.environment == {}
