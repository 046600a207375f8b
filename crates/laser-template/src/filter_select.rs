//! Jinja's filters that apply others: `map`, `select` and their like; and those on any value.

use crate::{
    access,
    error::{Error, Result},
    filter_sequence::Path,
    objects::Generator,
    value::{Args, Machine, Value},
};

pub(crate) fn map(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    if !value.truth(machine)? {
        return Ok(Generator::value("map", Vec::new()));
    }
    let mut made = Vec::new();
    let by_attribute = args.placed.is_empty() && args.named.iter().any(|(name, _)| name == "attribute");
    if by_attribute {
        let [attribute, default] = args.take("map", ["attribute", "default"], 1)?;
        let path = Path::new(attribute);
        let default = default.filter(|default| !matches!(default, Value::None));
        for item in value.iterate(machine)? {
            made.push(path.of(&item, default.as_ref(), machine)?);
        }
    } else {
        let Args { placed, named } = args;
        let mut placed = placed.into_iter();
        let name = placed.next().ok_or_else(|| Error::value("map requires a filter argument"))?.to_text("map")?;
        let args = Args { placed: placed.collect(), named };
        for item in value.iterate(machine)? {
            made.push(machine.call_filter(&name, item, args.clone())?);
        }
    }
    Ok(Generator::value("map", made))
}

pub(crate) fn select(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    chosen(machine, value, args, false, true)
}

pub(crate) fn reject(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    chosen(machine, value, args, false, false)
}

pub(crate) fn selectattr(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    chosen(machine, value, args, true, true)
}

pub(crate) fn rejectattr(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    chosen(machine, value, args, true, false)
}

fn chosen(machine: &mut Machine, value: Value, args: Args, by_attribute: bool, wanted: bool) -> Result<Value> {
    if !value.truth(machine)? {
        return Ok(Generator::value("select_or_reject", Vec::new()));
    }
    let Args { placed, named } = args;
    let mut placed = placed.into_iter();
    let path = match by_attribute {
        true => Path::new(Some(placed.next().ok_or_else(|| Error::value("Missing parameter for attribute name"))?)),
        false => Path::new(None),
    };
    let test = placed.next().map(|test| test.to_text("a test's name")).transpose()?;
    let args = Args { placed: placed.collect(), named };
    let mut kept = Vec::new();
    for item in value.iterate(machine)? {
        let looked_at = path.of(&item, None, machine)?;
        let holds = match &test {
            Some(test) => machine.call_test(test, looked_at, args.clone())?,
            None => looked_at.truth(machine)?,
        };
        if holds == wanted {
            kept.push(item);
        }
    }
    Ok(Generator::value("select_or_reject", kept))
}

pub(crate) fn default(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let [default, boolean] = args.take("default", ["default_value", "boolean"], 0)?;
    let boolean = boolean.map_or(Ok(false), |boolean| boolean.truth(machine))?;
    let missing = value.is_undefined() || (boolean && !value.truth(machine)?);
    Ok(if missing { default.unwrap_or(Value::from("")) } else { value })
}

pub(crate) fn attr(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let name = args.one("attr")?.to_text("attr")?;
    access::attribute_alone(&value, &name, machine)
}
