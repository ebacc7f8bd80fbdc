-- One row per item, which every reserve locks, and one per reservation.

-- Room on the page, so that an update of the hot row stays on it and touches no index.
CREATE TABLE item (
    id           integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    sku          text    NOT NULL UNIQUE,
    phase        text    NOT NULL,
    total        integer NOT NULL,
    available    integer NOT NULL CHECK (available >= 0),
    held         integer NOT NULL DEFAULT 0 CHECK (held >= 0),
    waiting      integer NOT NULL DEFAULT 0,
    next         integer NOT NULL DEFAULT 0,
    sequence     bigint  NOT NULL DEFAULT 2,
    -- When the first hold ends, in milliseconds; null where there is none.
    due          bigint,
    per_order    integer NOT NULL,
    per_customer integer NOT NULL,
    hold_ms      bigint  NOT NULL,
    line_max     integer NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Carries its idempotency key and its first answer: one row and one look-up for key and limit together.
CREATE TABLE reservation (
    item     integer NOT NULL,
    number   integer NOT NULL,
    state    "char"  NOT NULL, -- h held, w waiting, e expired, l lapsed
    quantity integer NOT NULL,
    joins    boolean NOT NULL,
    ends     bigint,
    customer text COLLATE "C" NOT NULL,
    key      text COLLATE "C" NOT NULL,
    answer   text COLLATE "C" NOT NULL,
    PRIMARY KEY (item, number)
) WITH (fillfactor = 90);
CREATE UNIQUE INDEX reservation_by_key ON reservation (item, customer, key);
CREATE INDEX reservation_held ON reservation (item, ends, number) WHERE state = 'h';
CREATE INDEX reservation_waiting ON reservation (item, number) WHERE state = 'w';

-- What is due: holds end in the order of their ends, then the line moves up, strictly from its head.
CREATE FUNCTION happen(INOUT it item, now_ms bigint, budget integer) LANGUAGE plpgsql AS $$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT number, quantity FROM reservation
        WHERE item = it.id AND state = 'h' AND ends <= now_ms ORDER BY ends, number LIMIT budget
    LOOP
        UPDATE reservation SET state = 'e' WHERE item = it.id AND number = one.number;
        it.available := it.available + one.quantity;
        it.held := it.held - one.quantity;
        it.sequence := it.sequence + 1;
        budget := budget - 1;
    END LOOP;
    WHILE it.phase = 'open' AND it.waiting > 0 AND it.available > 0 AND budget > 0 LOOP
        SELECT number, quantity INTO one FROM reservation
        WHERE item = it.id AND state = 'w' ORDER BY number LIMIT 1;
        IF one.quantity > it.available + it.held THEN
            UPDATE reservation SET state = 'l' WHERE item = it.id AND number = one.number;
        ELSIF one.quantity <= it.available THEN
            UPDATE reservation SET state = 'h', ends = now_ms + it.hold_ms WHERE item = it.id AND number = one.number;
            it.available := it.available - one.quantity;
            it.held := it.held + one.quantity;
        ELSE
            EXIT;
        END IF;
        it.waiting := it.waiting - 1;
        it.sequence := it.sequence + 1;
        budget := budget - 1;
    END LOOP;
    SELECT min(ends) INTO it.due FROM reservation WHERE item = it.id AND state = 'h';
END
$$;

-- Reserve, judged as Holdfast judges it: what is due first, then idempotency, phase, quantity, limit, stock, line.
-- Judges as many as it is given, in order, under one lock and in one transaction. A refusal writes nothing of its own.
CREATE FUNCTION reserve(
    p_sku text, p_customers text[], p_keys text[], p_quantities integer[], p_joins boolean[], p_budget integer
) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    it item;
    said text[] := array_fill(''::text, ARRAY[cardinality(p_customers)]);
    now_ms bigint;
    changed boolean := false;
    known record;
    asked integer;
    answer text;
    state "char";
    ending bigint;
BEGIN
    SELECT * INTO it FROM item WHERE sku = p_sku FOR UPDATE;
    IF NOT FOUND THEN
        RETURN array_fill('refused not_found'::text, ARRAY[cardinality(p_customers)]);
    END IF;
    -- Read under the lock, so that time runs forward from one call to the next.
    now_ms := floor(extract(epoch FROM clock_timestamp()) * 1000);
    IF it.due <= now_ms OR (it.waiting > 0 AND it.available > 0 AND it.phase = 'open') THEN
        it := happen(it, now_ms, p_budget);
        changed := true;
    END IF;
    FOR i IN 1 .. cardinality(p_customers) LOOP
        asked := p_quantities[i];
        SELECT coalesce(sum(r.quantity) FILTER (WHERE r.state IN ('h', 'w')), 0) AS live,
               max(r.answer) FILTER (WHERE r.key = p_keys[i]) AS answer,
               bool_and(r.quantity = asked AND r.joins = p_joins[i]) FILTER (WHERE r.key = p_keys[i]) AS same
        INTO known FROM reservation r WHERE r.item = it.id AND r.customer = p_customers[i];
        IF known.answer IS NOT NULL THEN
            said[i] := CASE WHEN known.same THEN 'again ' || known.answer ELSE 'refused idempotency_key_reused' END;
        ELSIF it.phase <> 'open' THEN
            said[i] := 'refused sale_not_open';
        ELSIF asked < 1 OR asked > it.per_order THEN
            said[i] := 'refused quantity_above_maximum';
        ELSIF known.live + asked > it.per_customer THEN
            said[i] := 'refused customer_limit_reached';
        ELSIF (it.waiting > 0 OR asked > it.available) AND (it.line_max = 0 OR NOT p_joins[i]) THEN
            said[i] := CASE WHEN it.available = 0 OR it.waiting > 0 THEN 'refused sold_out'
                            ELSE 'refused insufficient_stock' END;
        ELSIF asked > it.available + it.held THEN
            said[i] := CASE WHEN it.available + it.held = 0 THEN 'refused sold_out'
                            ELSE 'refused insufficient_stock' END;
        ELSIF (it.waiting > 0 OR asked > it.available) AND it.waiting >= it.line_max THEN
            said[i] := 'refused waitlist_full';
        ELSE
            it.sequence := it.sequence + 1;
            IF it.waiting = 0 AND asked <= it.available THEN
                state := 'h';
                ending := now_ms + it.hold_ms;
                it.available := it.available - asked;
                it.held := it.held + asked;
                it.due := least(it.due, ending);
                answer := concat_ws(' ', 'held', it.next, it.sequence, now_ms, ending);
            ELSE
                state := 'w';
                ending := NULL;
                it.waiting := it.waiting + 1;
                answer := concat_ws(' ', 'waiting', it.next, it.sequence, now_ms, it.waiting);
            END IF;
            INSERT INTO reservation VALUES
                (it.id, it.next, state, asked, p_joins[i], ending, p_customers[i], p_keys[i], answer);
            it.next := it.next + 1;
            said[i] := answer;
            changed := true;
        END IF;
    END LOOP;
    IF changed THEN
        UPDATE item SET available = it.available, held = it.held, waiting = it.waiting, next = it.next,
            sequence = it.sequence, due = it.due WHERE id = it.id;
    END IF;
    RETURN said;
END
$$;
